"""A failure on the way to the mailbox's server, with the guidance row that goes with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.guidance import Guidance
from shared.microsoft.smtp import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong: the phase, the reply or None, the guidance row, and the row's values.

    *reason* is for the log, and says most where there was no reply.
    """

    phase: str
    guidance: Guidance
    values: Mapping[str, str]
    reply: Reply | None = None
    reason: str = ""
    outcome_unknown: bool = False
    refused: tuple[tuple[str, Reply], ...] = ()
