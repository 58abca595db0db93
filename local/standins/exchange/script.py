"""What goes wrong on demand in an SMTP session: at which stage, for whom, how often."""

from collections.abc import Callable
from dataclasses import dataclass

STAGES = (
    "connect",
    "greeting",
    "ehlo",
    "starttls",
    "auth",
    "mail",
    "rcpt",
    "data",
    "content-begin",
    "content-half",
    "content-end-before-store",
    "content",
    "content-end-after-store",
)


type Watch = Callable[[str, str | None], bool]
"""Called with every stage as it is reached, and the mailbox; True cuts the connection there."""


@dataclass(slots=True)
class Step:
    """One planned fault: another reply, a cut, a silence, or a delay before the usual reply."""

    stage: str
    times: int = 1
    mailbox: str | None = None
    reply: str = ""
    cut: bool = False
    hang: bool = False
    seconds: float = 0


class Script:
    """Planned faults, first come first served; *times* 0 lasts until ``clear``."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self.watch: Watch | None = None

    def add(self, step: Step) -> None:
        if step.stage not in STAGES:
            raise ValueError(f"{step.stage!r} is none of {', '.join(STAGES)}")
        self._steps.append(step)

    def take(self, stage: str, mailbox: str | None) -> Step | None:
        """The step planned for *stage* and *mailbox* (None before AUTH), counted down."""
        if self.watch is not None and self.watch(stage, mailbox):
            return Step(stage, cut=True)
        for step in self._steps:
            if step.stage == stage and step.mailbox in (None, mailbox):
                if step.times == 1:
                    self._steps.remove(step)
                elif step.times > 1:
                    step.times -= 1
                return step
        return None

    def clear(self) -> None:
        self._steps = []
        self.watch = None
