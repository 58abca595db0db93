"""Mailboxes: who may submit, as whom, how much, and what was delivered."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.standins.directory import Directory, Tenant

MAX_SEND_SIZE = 35 * 1024 * 1024
RECIPIENT_LIMIT = 500
MINUTE = 60.0
DAY = 86_400.0


@dataclass(slots=True)
class Mailbox:
    """One mailbox; *smtp_auth* None inherits the tenant's switch."""

    address: str
    tenant: Tenant
    smtp_auth: bool | None = None
    licensed: bool = True
    full: bool = False
    max_send_size: int = MAX_SEND_SIZE
    recipient_limit: int = RECIPIENT_LIMIT
    aliases: set[str] = field(default_factory=set)
    send_as: set[str] = field(default_factory=set)
    sent: deque[float] = field(default_factory=deque)
    recipients: deque[tuple[float, int]] = field(default_factory=deque)
    sessions: list[str] = field(default_factory=list)

    def may_use_smtp(self) -> bool:
        if self.smtp_auth is not None:
            return self.smtp_auth
        return not self.tenant.smtp_auth_disabled

    def may_send_as(self, address: str) -> bool:
        address = address.lower()
        return address == self.address or address in self.aliases or address in self.send_as

    def sent_in_the_last_minute(self) -> int:
        horizon = time.monotonic() - MINUTE
        while self.sent and self.sent[0] <= horizon:
            self.sent.popleft()
        return len(self.sent)

    def recipients_in_the_last_day(self) -> int:
        horizon = time.monotonic() - DAY
        while self.recipients and self.recipients[0][0] <= horizon:
            self.recipients.popleft()
        return sum(count for _, count in self.recipients)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that was stored, whether or not the 250 reached the client."""

    id: int
    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes
    at: datetime
    session: str
    mailbox: str
    message_id: str
    smtputf8: bool = False


@dataclass(slots=True)
class Limits:
    """Exchange's limits per mailbox; *enforced* off leaves them counted only."""

    enforced: bool = True
    messages_per_minute: int = 30
    connections: int = 3
    recipients_per_day: int = 10_000


class Mailboxes:
    """All mailboxes, made when first named, and everything they sent."""

    def __init__(self, directory: Directory) -> None:
        self.delivered: list[Delivered] = []
        self.keep_content = True
        self.stored = 0
        self.limits = Limits()
        self.seen: Counter[str] = Counter()
        self._directory = directory
        self._mailboxes: dict[str, Mailbox] = {}

    def reset(self) -> None:
        self.delivered.clear()
        self.seen.clear()
        self.stored = 0
        self.limits = Limits()
        self._mailboxes.clear()

    def the(self, address: str) -> Mailbox:
        """The mailbox of *address*; a shared one if nobody signs in by that name."""
        key = address.lower()
        if key not in self._mailboxes:
            person = self._directory.person(key)
            tenant = person.tenant if person else self._directory.add_tenant(key.split("@")[-1])
            self._mailboxes[key] = Mailbox(key, tenant)
        return self._mailboxes[key]

    def submitter(self, username: str) -> Mailbox | None:
        """The licensed mailbox of a person, None when there is no such person."""
        if self._directory.person(username) is None:
            return None
        mailbox = self.the(username)
        return mailbox if mailbox.licensed else None

    def store(
        self,
        mailbox: Mailbox,
        mail_from: str,
        rcpt_to: tuple[str, ...],
        content: bytes,
        *,
        session: str,
        message_id: str,
        smtputf8: bool,
    ) -> None:
        """Deliver, and count what Exchange counts."""
        now = time.monotonic()
        mailbox.sent.append(now)
        mailbox.recipients.append((now, len(rcpt_to)))
        self.stored += 1
        if not self.keep_content:
            return
        if message_id:
            self.seen[message_id] += 1
        self.delivered.append(
            Delivered(
                self.stored,
                mail_from,
                rcpt_to,
                content,
                datetime.now(UTC),
                session,
                mailbox.address,
                message_id,
                smtputf8,
            )
        )
