"""Health: whether each service we depend on answers, by name, as of some seconds ago."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.errors import ServiceError

FRESH = timedelta(seconds=10)
"""Anybody may ask, so the services behind are asked no more often than this."""
PATIENCE = 5.0
"""Seconds that they have for an answer; whoever asks gets one even if they hang."""


@dataclass(frozen=True, slots=True)
class Report:
    """Which dependencies answer, and how many wake-ups lie in the poison queue."""

    answers: Mapping[str, bool]
    poisoned: int | None

    @property
    def is_healthy(self) -> bool:
        """Tell whether all of them answer."""
        return all(self.answers.values())


class Health:
    """Asks the dependencies and remembers their answers for ``FRESH``."""

    def __init__(
        self,
        probes: Mapping[str, Callable[[], bool]],
        *,
        poisoned: Callable[[], int],
        clock: Callable[[], datetime],
        patience: float = PATIENCE,
    ) -> None:
        self._probes = probes
        self._poisoned = poisoned
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._report: tuple[datetime, Report] | None = None

    def report(self) -> Report:
        """Return how things stand, or stood moments ago."""
        with self._lock:
            if self._report and self._clock() - self._report[0] < FRESH:
                return self._report[1]
            report = self._ask()
            self._report = (self._clock(), report)
            return report

    def _ask(self) -> Report:
        """Ask all at once; one that has not answered in time does not answer."""
        pool = ThreadPoolExecutor(len(self._probes) + 1)
        asked = {name: pool.submit(_is_well, probe) for name, probe in self._probes.items()}
        poisoned = pool.submit(self._count_poisoned)
        everybody: list[Future[Any]] = [*asked.values(), poisoned]
        answered = wait(everybody, self._patience).done
        pool.shutdown(wait=False)
        answers = {name: one in answered and one.result() for name, one in asked.items()}
        return Report(answers, poisoned.result() if poisoned in answered else None)

    def _count_poisoned(self) -> int | None:
        try:
            return self._poisoned()
        except ServiceError:
            return None


def _is_well(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except Exception:  # noqa: BLE001 - whatever it is, the dependency does not answer
        return False
