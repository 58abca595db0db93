"""What is to happen later, as values: the tasks of upkeep, and wake-ups on their way."""

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What upkeep does for an account."""

    SWEEP = "sweep"
    """Wake the mailbox if mail is due and nobody is coming for it."""
    TIDY = "tidy"
    """Delete records, keys and contents that are past their time."""
    KEEP_ALIVE = "keep-alive"
    """Use the refresh token, so that it does not die of disuse."""
    ABANDON = "abandon"
    """Delete the account if nobody ever connected it."""
    PURGE = "purge"
    """Finish the deletion of an account."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the agenda."""

    task: Task
    row: str

    @property
    def account(self) -> str:
        """Return whom it is about."""
        return self.row.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Sent:
    """A wake-up on its way, and what it takes to call it back."""

    id: str
    receipt: str
