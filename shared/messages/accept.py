"""Accepting a message: everything is checked and stored in one transaction before the 202."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.accounts.account import Account
from shared.errors import ServiceError
from shared.identifiers import new_identifier
from shared.messages.draft import Draft, Sender
from shared.messages.record import MessageStatus, Record
from shared.microsoft.smtp import Envelope
from shared.schedule import Sent, Task

WATCH_MARGIN = timedelta(minutes=5)
"""The agenda's word is trusted up to this long before it ends; clocks differ."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key's digest and the fingerprint of the body it came with."""

    digest: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, media_type: str, body: bytes) -> "Key":
        """Return the key for *body* as it came over the wire."""
        fingerprint = hashlib.sha256(media_type.encode() + b"\n")
        fingerprint.update(body)
        return cls(hashlib.sha256(key.encode()).hexdigest(), fingerprint.hexdigest())


@dataclass(frozen=True, slots=True)
class Kept:
    """What an idempotency key stands for: the body's fingerprint and the message it made."""

    fingerprint: str
    message: str


class Messages(Protocol):
    """Where messages are kept."""

    def kept(self, account: str, digest: str, now: datetime) -> Kept | None:
        """Return what a key stands for."""

    def record(self, account: str, message: str) -> Record | None:
        """Return a record."""

    def accept(
        self, record: Record, content: bytes, key: Key | None, watched_until: datetime | None
    ) -> str:
        """Store a message whole and return the id of the one that is stored."""


class Agenda(Protocol):
    """What upkeep has to do when."""

    def add(self, task: Task, account: str, at: datetime) -> datetime:
        """Note it and return when it will be looked at."""


class Wakeups(Protocol):
    """How a mailbox is woken."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake *account* then."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message as stored; *replayed* when an earlier request with the same key made it.

    *wakeup* is the one on its way, if it could be sent.
    """

    record: Record
    replayed: bool
    wakeup: Sent | None = None


class Intake:
    """Takes messages in. *largest_in_partition* is in bytes; larger contents become blobs."""

    def __init__(
        self,
        *,
        messages: Messages,
        agenda: Agenda,
        wakeups: Wakeups,
        largest_in_partition: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._messages = messages
        self._agenda = agenda
        self._wakeups = wakeups
        self._largest = largest_in_partition
        self._clock = clock

    def accept(
        self,
        watched: tuple[Account, datetime | None],
        compose: Callable[[Sender, str], Draft],
        key: Key | None = None,
        *,
        wake_in: timedelta = timedelta(),
    ) -> Accepted:
        """Store the message that *compose* makes, wake the mailbox; what is returned is not lost.

        The agenda looks after the mailbox from before the message is stored, so that even a
        wake-up that cannot be sent only delays it. Raises ServiceError
        ``idempotency-key-reused``, and what *compose* and the store raise.
        """
        account, watched_until = watched
        now = self._clock()
        if key and (earlier := self._replay(account.id, key, now)):
            return earlier
        record, content = self._composed(account, compose, now)
        watch = self._watch(account.id, watched_until, now)
        stored = self._messages.accept(record, content, key, watch)
        if stored != record.id and key and (earlier := self._replay(account.id, key, now)):
            return earlier
        _log.info("event=message_accepted account=%s message=%s", account.id, record.id)
        at = max(record.send_at or now, now + wake_in)
        return Accepted(record, replayed=False, wakeup=self._wake(account.id, at))

    def _replay(self, account: str, key: Key, now: datetime) -> Accepted | None:
        kept = self._messages.kept(account, key.digest, now)
        if kept is None:
            return None
        if kept.fingerprint != key.fingerprint:
            raise ServiceError("idempotency-key-reused")
        record = self._messages.record(account, kept.message)
        if record is None:
            return None
        # The request that stored it may have died before it woke the mailbox.
        return Accepted(record, replayed=True, wakeup=self._wake(account, now))

    def _composed(
        self, account: Account, compose: Callable[[Sender, str], Draft], now: datetime
    ) -> tuple[Record, bytes]:
        record_id = new_identifier(now)
        domain = account.address.rpartition("@")[2].encode("idna").decode()
        draft = compose(Sender(account.address, account.display_name), f"<{record_id}@{domain}>")
        return _record(record_id, account, draft, self._largest, now), draft.content

    def _watch(
        self, account: str, watched_until: datetime | None, now: datetime
    ) -> datetime | None:
        """Put the mailbox on the agenda unless it is there already; once an hour is enough."""
        if watched_until and now + WATCH_MARGIN < watched_until:
            return None
        if watched_until is None or watched_until + timedelta(days=1) < now:
            self._agenda.add(Task.TIDY, account, now + timedelta(days=1))
        return self._agenda.add(Task.SWEEP, account, now + WATCH_MARGIN)

    def _wake(self, account: str, at: datetime) -> Sent | None:
        try:
            return self._wakeups.send(account, at=at, now=self._clock())
        except ServiceError:
            _log.warning("event=wakeup_not_sent account=%s", account)
            return None


def _record(
    record_id: str, account: Account, draft: Draft, largest_in_partition: int, now: datetime
) -> Record:
    return Record(
        id=record_id,
        account_id=account.id,
        status=MessageStatus.QUEUED,
        message_id=draft.message_id,
        subject=draft.subject,
        to=draft.to,
        envelope=Envelope(
            mail_from=draft.mail_from,
            rcpt_to=draft.rcpt_to,
            size=len(draft.content),
            smtputf8=draft.smtputf8,
        ),
        created_at=now,
        on_uncertain=draft.on_uncertain,
        content_in_blob=len(draft.content) > largest_in_partition,
        send_at=draft.send_at,
        expires_at=draft.expires_at,
    )
