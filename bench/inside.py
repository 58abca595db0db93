"""The product's own code in this process, on Azurite and the stand-ins, with its calls counted.

``python -m bench.inside MODULE FUNCTION JSON`` prints what that returns as JSON; the wiring
reads its settings once, so each job is a process of its own.
"""

import importlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import stack

if TYPE_CHECKING:
    from local.standins import Stack as StandIns
    from shared.accounts.account import Account
    from shared.store.rows import Entity
    from shared.store.table import Table, Write
    from tests.delivery.post_office import PostOffice

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600


def ask(job: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401 - JSON
    """Run *job*, a function of a module, in a process of its own and return its result."""
    named = [job.__module__, job.__name__, json.dumps(arguments)]
    ended = subprocess.run(
        [sys.executable, "-m", "bench.inside", *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{job.__name__}: {ended.stderr.strip()[-800:]}")
    return json.loads(ended.stdout)


class Watched:
    """A table that notes the time of every call, by what it does."""

    def __init__(self, table: "Table") -> None:
        self.table = table
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def _timed[T](self, name: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return call()
        finally:
            with self._lock:
                self.seconds[name].append(time.perf_counter() - began)

    def get(self, partition: str, row: str) -> "tuple[Entity, str] | None":
        kind = row.partition(":")[0] if ":" in row or row in ("account", "lease") else "tenant"
        return self._timed(f"read {kind}", lambda: self.table.get(partition, row))

    def range(
        self,
        partition: str,
        lower: str,
        upper: str,
        *,
        limit: int | None = None,
        select: Sequence[str] | None = None,
    ) -> "list[Entity]":
        return self._timed(
            f"list {lower.partition(':')[0]}",
            lambda: self.table.range(partition, lower, upper, limit=limit, select=select),
        )

    def commit(self, partition: str, writes: "Sequence[Write]") -> list[str]:
        rows = "+".join(write.row.partition(":")[0] for write in writes)
        return self._timed(f"write {rows}", lambda: self.table.commit(partition, writes))

    @property
    def count(self) -> int:
        return sum(map(len, self.seconds.values()))


def watch(name: str) -> Watched:
    """Put a watch on the table *name* for everything the wiring builds from here on."""
    from shared import wiring

    table = wiring._table(name)  # noqa: SLF001
    watched = Watched(table)
    real = wiring._table  # noqa: SLF001

    def found(asked: str) -> Any:  # noqa: ANN401
        return watched if asked == name else real(asked)

    wiring._table = found  # noqa: SLF001
    return watched


def timed(action: Callable[[], object], times: int) -> dict[str, float]:
    """Do *action* often; return the median of its wall time and its mean CPU, in ms."""
    action()
    walls = []
    cpu = time.process_time()  # of all threads: the SDKs start some for a transaction
    for _ in range(times):
        began = time.perf_counter()
        action()
        walls.append(time.perf_counter() - began)
    used = time.process_time() - cpu
    return {"wall": statistics.median(walls) * 1000, "cpu": used / times * 1000}


def office(standins: "StandIns", customer: str = "firma") -> "PostOffice":
    from tests.delivery.post_office import PostOffice

    return PostOffice(standins, customer)


def post(office: "PostOffice", account: "Account", count: int) -> None:
    body = stack.invoice()
    subject = body.pop("subject")
    for _ in range(count):
        office.post(account, subject, **body)


def main() -> None:
    """Do one job."""
    module, name, arguments = sys.argv[1:]
    job: Callable[..., Any] = getattr(importlib.import_module(module), name)
    print(json.dumps(job(**json.loads(arguments))))


if __name__ == "__main__":
    main()
