"""Faults on demand: what a stand-in does instead of answering, how often, and where."""

from dataclasses import dataclass


@dataclass(slots=True)
class Fault:
    """*kind* names the refusal; *times* is how often, 0 until told otherwise."""

    kind: str
    endpoint: str | None = None
    times: int = 1
    seconds: float = 0


class Faults:
    """Waiting faults, first come first served, and a delay that every answer has."""

    def __init__(self) -> None:
        self.delay: float = 0
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def take(self, endpoint: str) -> Fault | None:
        """The next fault for *endpoint*, counted down; None when it may answer."""
        for fault in self._waiting:
            if fault.endpoint in (None, endpoint):
                if fault.times == 1:
                    self._waiting.remove(fault)
                elif fault.times > 1:
                    fault.times -= 1
                return fault
        return None

    def clear(self, kind: str | None = None) -> None:
        """Forget the waiting faults, or those of one kind, and the delay."""
        self._waiting = [fault for fault in self._waiting if kind not in (None, fault.kind)]
        if kind is None:
            self.delay = 0
