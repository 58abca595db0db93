"""A journey: the named steps of one process as it makes them, and the one where it is struck."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from local.standins import Stack
from tests.breaking.storage_calls import Call
from tests.breaking.storage_front import Fault, Moment, StorageFront

REPLYLESS = "content-end-after-store"
"""The one stage of SMTP at which the effect has been and the reply has not."""


@dataclass(frozen=True, slots=True)
class Step:
    """The *nth* time that something called *name* happens, ``before`` or ``after`` its effect."""

    name: str
    moment: str
    nth: int = 1

    def __str__(self) -> str:
        often = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.moment:6} {self.name}{often}"


class Journey:
    """Records the steps of a process; at *fatal* it calls *strike*, once.

    What *strike* returns says whether the step is cut, so that it has no effect (before) or no
    answer (after). ``reached`` is set once *strike* has returned.
    """

    def __init__(
        self, fatal: Step | None = None, strike: Callable[[], bool] | None = None
    ) -> None:
        self.fatal = fatal
        self.strike = strike
        self.steps: list[Step] = []
        self.reached = threading.Event()
        self._times: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def watch(self, front: StorageFront, stack: Stack) -> None:
        """Follow the process that goes by *front*, the only one that *stack* serves now."""
        front.watch = self.storage
        stack.exchange.script.watch = self._smtp
        for part in (stack.entra, stack.key_vault, stack.identity, stack.issuer):
            part.watch = self._endpoint(part.name)

    def reach(self, name: str, moment: str) -> bool:
        """Note a step; True when it is cut."""
        with self._lock:
            self._times[name, moment] += 1
            step = Step(name, moment, self._times[name, moment])
            self.steps.append(step)
        if step != self.fatal or self.strike is None:
            return False
        cut = self.strike()
        self.reached.set()
        return cut

    def storage(self, call: Call, moment: Moment) -> Fault | None:
        cut = self.reach(call.step, moment.value)
        return (Fault.CUT if moment is Moment.BEFORE else Fault.LOST_REPLY) if cut else None

    def _smtp(self, stage: str, _mailbox: str | None) -> bool:
        return self.reach(f"smtp {stage}", "after" if stage == REPLYLESS else "before")

    def _endpoint(self, service: str) -> Callable[[str, str], bool]:
        return lambda endpoint, moment: self.reach(f"{service} {endpoint}", moment)


def unwatch(stack: Stack) -> None:
    """Leave the stand-ins to themselves again."""
    stack.exchange.script.watch = None
    for part in (stack.entra, stack.key_vault, stack.identity, stack.issuer):
        part.watch = None
