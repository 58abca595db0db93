"""A process that dies at a chosen call to the store: before the call, or right after it."""

import threading
from collections.abc import Callable, Sequence

from shared.store.rows import Entity
from shared.store.table import Table, Write


class DiedError(BaseException):
    """The process is gone; nothing below may catch this."""


class MortalTable(Table):
    """A table whose *fatal*-th call is its process's last; dead, it answers no more."""

    def __init__(self, table: Table, fatal: int, moment: str) -> None:
        self.table = table
        self.fatal = fatal
        self.moment = moment
        self.calls: list[str] = []
        self.dead = False
        self._lock = threading.Lock()

    def _call[T](self, name: str, call: Callable[[], T]) -> T:
        with self._lock:
            if self.dead:
                raise DiedError
            self.calls.append(name)
            last = len(self.calls) == self.fatal
            if last and self.moment == "before":
                self.dead = True
                raise DiedError
            answer = call()
            if last:
                self.dead = True
                raise DiedError
            return answer

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        return self._call(f"get {row.partition(':')[0]}", lambda: self.table.get(partition, row))

    def range(
        self,
        partition: str,
        lower: str,
        upper: str,
        *,
        limit: int | None = None,
        select: Sequence[str] | None = None,
    ) -> list[Entity]:
        return self._call(
            f"range {lower.partition(':')[0]}",
            lambda: self.table.range(partition, lower, upper, limit=limit, select=select),
        )

    def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        rows = " ".join(f"{w.kind.value} {w.row.partition(':')[0]}" for w in writes)
        return self._call(f"commit {rows}", lambda: self.table.commit(partition, writes))
