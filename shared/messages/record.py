"""A message as it is remembered: what was asked, what was tried, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.microsoft.smtp import Envelope, Reply

ATTEMPTS_REMEMBERED = 50
"""Older attempts of one message are forgotten, so that its record stays small."""


class MessageStatus(StrEnum):
    """Where a message stands (CONTRACT section 1).

    ``HELD`` is never stored: a queued message of an account that needs somebody *is* held, so that
    thousands of them are held and released by one write to the account.
    """

    QUEUED = "queued"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


FINAL = frozenset(
    {
        MessageStatus.SENT,
        MessageStatus.FAILED,
        MessageStatus.UNCERTAIN,
        MessageStatus.CANCELLED,
    }
)
"""What a caller who waits is told at once: nothing changes it but a word from a caller."""


class Outcome(StrEnum):
    """What came of one attempt."""

    SENT = "sent"
    DEFERRED = "deferred"
    PACED = "paced"
    HELD = "held"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when, what came of it, the phase in which it ended, the server's reply."""

    at: datetime
    outcome: Outcome
    phase: str
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a message is where it is: a row of the guidance catalogue and its values."""

    code: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message; sizes in bytes, times in UTC.

    *left* are the recipients still to be served where the server took the message for others and
    asked to try these again; None as long as nobody was served. *refused* are those who will not
    get it, and those of *left* with the latest reply.
    """

    id: str
    account_id: str
    status: MessageStatus
    message_id: str
    subject: str
    to: tuple[str, ...]
    envelope: Envelope
    created_at: datetime
    on_uncertain: str
    content_in_blob: bool
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    refused: tuple[tuple[str, Reply], ...] = ()
    trouble: Trouble | None = None
    left: tuple[str, ...] | None = None

    @property
    def is_partly_sent(self) -> bool:
        """Tell whether some recipients have the message and others are still to be served."""
        return self.left is not None

    @property
    def next_envelope(self) -> Envelope:
        """Return the envelope of the next submission: whoever is still to be served."""
        return self.envelope if self.left is None else replace(self.envelope, rcpt_to=self.left)

    @property
    def size(self) -> int:
        """Return the size of the content in bytes."""
        return self.envelope.size

    def with_attempt(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Return the remembered attempts with *attempt* as the latest."""
        return (*self.attempts, attempt)[-ATTEMPTS_REMEMBERED:]
