"""A draft: a finished message and its envelope, checked, before anybody promised to send it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

MESSAGE_LIMIT = 35 * 1024 * 1024
"""Bytes that a whole message may have; Exchange's usual limit for a mailbox."""

RECIPIENT_LIMIT = 500
"""Recipients that one message may have; Exchange's usual limit for a mailbox."""

SCHEDULE_LIMIT = timedelta(days=30)
"""How far ahead a message may be put off, and how long it may then be tried."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What an account sends as: *address* in MAIL FROM and From, *display_name* beside it."""

    address: str
    display_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One message ready for submission.

    *content* is the whole message (RFC 5322, CRLF, without Bcc). *mail_from* and *rcpt_to* are the
    envelope (RFC 5321), every recipient once, in the order To, Cc, Bcc. *smtputf8* says that an
    address cannot be written in ASCII (RFC 6531). *message_id* is the header's, in angle brackets.
    *to* is the To field as a person reads it. Times are UTC; *send_at* is None for now.
    """

    content: bytes = field(repr=False)
    mail_from: str
    rcpt_to: tuple[str, ...]
    smtputf8: bool
    message_id: str
    subject: str
    to: tuple[str, ...]
    send_at: datetime | None
    expires_at: datetime | None
    on_uncertain: str


def in_brackets(message_id: str) -> str:
    """Return *message_id* as the header has it (``msg-id``, RFC 5322 section 3.6.4)."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"
