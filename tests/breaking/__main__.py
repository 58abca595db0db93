"""``python -m tests.breaking``: the whole crash matrix, as a table; fails when a row is bad."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from local import azurite
from tests.breaking.crash import Outcome
from tests.breaking.matrix import Matrix, account_names


def main() -> int:
    """Run it all; 0 when every promise was kept."""
    begun = time.monotonic()
    names = account_names()
    with azurite.running(accounts=names) as emulator:
        matrix = Matrix(emulator, names)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(interrupted, matrix))
        rows = matrix.rehearse()
        plays: list[Callable[[], Outcome]] = [
            *matrix.duels(),
            *(partial(matrix.row, row) for row in rows),
        ]
        print(f"{len(plays)} rows; a dead holder's lease takes a minute to run out", flush=True)

        def tell(count: int, outcome: Outcome) -> None:
            passed = time.monotonic() - begun
            done = f"{passed:4.0f} s  {count:3}/{len(plays)}"
            print(f"{done}  {outcome.story}: {outcome.step}: {outcome.verdict}", flush=True)

        outcomes = matrix.run(plays, tell)
    return report(outcomes, time.monotonic() - begun)


def interrupted(matrix: Matrix, number: int, _frame: FrameType | None) -> None:
    """End at once, leaving no host behind; the threads would wait for leases to run out."""
    matrix.abandon()
    os._exit(128 + number)


def report(outcomes: list[Outcome], seconds: float) -> int:
    """Print the table, then the bad rows."""
    print("\n" + "\n".join(str(one) for one in outcomes))
    bad = [one for one in outcomes if one.faults]
    uncertain = sum(one.statuses.count("uncertain") for one in outcomes)
    print(
        f"\n{len(outcomes)} rows in {seconds:.0f} s: {len(outcomes) - len(bad)} kept their "
        f"promises, {len(bad)} did not; {uncertain} messages uncertain"
    )
    for one in bad:
        print(f"BAD  {one}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
