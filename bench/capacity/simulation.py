"""A discrete-event simulation: processes are generators that yield the seconds they let pass."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Generator

type Process = Generator[float]


class Simulation:
    """Runs processes in order of time. *now* is in seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Process]] = []

    def start(self, process: Process, after: float = 0) -> None:
        """Begin *process* some seconds from now."""
        heapq.heappush(self._coming, (self.now + after, next(self._order), process))

    def call(self, action: Callable[[], None], after: float) -> None:
        """Do *action* some seconds from now."""

        def once() -> Process:
            action()
            yield from ()

        self.start(once(), after)

    def run(self, until: float = float("inf")) -> None:
        """Go on until nothing is left to happen, or until that moment."""
        coming, order, push, pop = self._coming, self._order, heapq.heappush, heapq.heappop
        while coming and coming[0][0] <= until:
            self.now, _, process = pop(coming)
            self.events += 1
            try:
                delay = next(process)
            except StopIteration:
                continue
            push(coming, (self.now + delay, next(order), process))
        if until != float("inf"):
            self.now = max(self.now, until)


class Limit:
    """So many units a second and no more; what comes too early waits for its turn.

    A burst of *window* seconds' worth passes at once, as with limits that count by the window. A
    real service answers 429 or 503 and the client comes back: that costs at least this wait.
    """

    def __init__(
        self, simulation: Simulation, name: str, rate: float, *, window: float = 1
    ) -> None:
        self.name = name
        self.rate = rate
        self.units = 0.0
        self.waited = 0.0
        self.first_wait: float | None = None
        self._simulation = simulation
        self._window = window
        self._turn = 0.0
        self._by_window: Counter[int] = Counter()

    def wait(self, units: float = 1) -> float:
        """Take *units* and return after how many seconds they are granted."""
        now = self._simulation.now
        self.units += units
        self._by_window[int(now / self._window)] += units  # type: ignore[assignment]
        self._turn = max(self._turn, now) + units / self.rate
        delay = max(0.0, self._turn - now - self._window)
        if delay > 0:
            self.waited += delay
            if self.first_wait is None:
                self.first_wait = now
        return delay

    @property
    def peak(self) -> float:
        """The part of the limit that the busiest window asked for; above 1, it was too much."""
        return max(self._by_window.values(), default=0) / self._window / self.rate


class Server:
    """Something that does one thing at a time, in order: a core, a one-threaded store."""

    def __init__(self, simulation: Simulation) -> None:
        self.busy = 0.0
        self.longest_wait = 0.0
        self._simulation = simulation
        self._free_at = 0.0

    def time(self, work: float) -> float:
        """Give it *work* (seconds) and return after how many seconds that is done."""
        now = self._simulation.now
        begin = max(self._free_at, now)
        self.longest_wait = max(self.longest_wait, begin - now)
        self.busy += work
        self._free_at = begin + work
        return self._free_at - now
