"""What is to happen later, as values: upkeep's tasks, wake-ups on their way, mailboxes at rest."""

from dataclasses import dataclass
from datetime import datetime
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


class Why(StrEnum):
    """Why a mailbox is left alone for a while."""

    NOTHING = ""
    BACKOFF = "backoff"
    """Something failed that may work soon."""
    ACCOUNT = "account"
    """The account needs its owner or an admin."""
    PACED = "paced"
    """It has sent as much as Exchange lets it; nothing but time ends this rest."""
    LIMITED = "limited"
    """Exchange said that it had sent too much."""
    TENANT = "tenant"
    """Exchange takes nothing from its whole tenant."""
    ASKED = "asked"
    """It is not: its caller wants a message tried now."""


@dataclass(slots=True)
class Rest:
    """Until when a mailbox is left alone, why, and for how many times in a row by now."""

    until: datetime | None = None
    reason: Why = Why.NOTHING
    count: int = 0
