"""The drain: whoever holds a mailbox's lease sends what is due, one message after the other.

Its promises: a message whose content may have left is never sent again by itself; what was not
handed over is tried again; what waits for somebody waits; and no wake-up is lost.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.accounts.account import Account, AccountStatus, Obstacle
from shared.delivery import verdict
from shared.delivery.door import Door
from shared.delivery.failure import Failure
from shared.messages.record import MessageStatus, Record
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Accepted, Session, SubmissionError
from shared.store.lease import (
    PACED,
    RENEW_EVERY,
    Busy,
    Entry,
    EntryGoneError,
    Lease,
    LeaseLostError,
    Rest,
    Resting,
)
from shared.store.wakeups import LONGEST, Sent

PAGE = 40
"""How many lines of the outbox are looked at in one go."""
TURN = timedelta(minutes=4)
"""How long one drain works before it hands over to the next, well within the function's time."""
SLACK = timedelta(seconds=5)
"""A wake-up that comes this much later than needed is as good as one of our own."""
PROBE_DAYS = timedelta(days=30)
"""For how long an account that waits for an admin is looked at again by itself."""

_log = logging.getLogger(__name__)


class Mailboxes(Protocol):
    """What a drain needs of the mailbox store."""

    def get(self, account: str) -> Account | None:
        """Return the account."""

    def acquire(self, account: str, now: datetime) -> Lease | Busy | Resting | None:
        """Take the lease."""

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first lines of the outbox."""

    def record(self, account: str, message: str) -> Record | None:
        """Return a record."""

    def content(self, record: Record) -> bytes | None:
        """Return a content."""

    def drop_blob(self, record: Record) -> None:
        """Delete the blob of a finished message."""

    def note_standing(
        self, lease: Lease, obstacle: Obstacle | None, account: Account, now: datetime
    ) -> Account | None:
        """Note under the lease whether the account can send."""


class Wakeups(Protocol):
    """How a mailbox is woken later."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake *account* then."""


class Tenants(Protocol):
    """Who was told to slow down as a whole."""

    def pause(self, tenant: str, until: datetime, code: str) -> None:
        """Pause every mailbox of *tenant*."""

    def paused_until(self, tenant: str, now: datetime) -> datetime | None:
        """Return until when."""


class Events(Protocol):
    """Who is told of what happened."""

    def message(self, account: Account, record: Record) -> None:
        """Tell what became of a message."""

    def account(self, account: Account) -> None:
        """Tell how an account stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What every drain of this process works with. *instance* names the process."""

    mailboxes: Mailboxes
    wakeups: Wakeups
    tenants: Tenants
    events: Events
    door: Door
    readers: Executor
    clock: Callable[[], datetime]
    instance: str
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.8, 1.2))  # noqa: S311


def drain(crew: Crew, account: str) -> None:
    """Send what is due from the mailbox of *account*, unless somebody else is at it.

    Raises ServiceError("storage-unavailable"); whoever woke the mailbox then wakes it again.
    """
    lease = crew.mailboxes.acquire(account, crew.clock())
    if not isinstance(lease, Lease):
        return
    turn = _Turn(crew, lease)
    with _renewed(lease, crew.clock):
        try:
            while not turn.run():
                pass
        except LeaseLostError:
            _log.warning("event=drain_stopped account=%s reason=lease_lost", account)
        finally:
            turn.leave()


@contextmanager
def _renewed(lease: Lease, clock: Callable[[], datetime]) -> Iterator[None]:
    """Renew *lease* in the background for as long as the block lasts."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_EVERY.total_seconds()):
            try:
                lease.renew(clock())
            except LeaseLostError:
                return
            except Exception:  # noqa: BLE001 - a lease that cannot be renewed runs out, and that is seen
                _log.warning("event=lease_not_renewed account=%s", lease.account)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


class _Turn:
    """One drain of one mailbox: from the first look at the outbox to giving the lease back."""

    def __init__(self, crew: Crew, lease: Lease) -> None:
        self.crew = crew
        self.lease = lease
        self.end = crew.clock() + TURN
        self.account: Account | None = None
        self.session: Session | None = None
        self.probing = False
        self.ahead: dict[str, Future[tuple[Record | None, bytes | None]]] = {}
        self.finished: list[Record] = []
        self.chained: str | None = None

    # the turn

    def run(self) -> bool:
        """Send what is due and give the lease back; False when a wake-up came meanwhile."""
        self.account = self.crew.mailboxes.get(self.lease.account)
        if self.account is None:
            raise LeaseLostError(self.lease.account)
        back = self._work(self.account)
        now = self.crew.clock()
        if self.chained:
            self._close()
        if back is not None:
            self._be_woken(back, now)
        keeps = self._may_keep(now)
        if not self.lease.release(now):
            self._after_writing()
            return False
        self._after_writing()
        if keeps and self.session:
            self.crew.door.keep(self.account, self.session)
            self.session = None
        return True

    def leave(self) -> None:
        """Close what is still open."""
        if self.session:
            self.session.close()
            self.session = None

    def _be_woken(self, back: datetime, now: datetime) -> None:
        """See to it that a wake-up is on its way for *back*."""
        at = min(back, now + LONGEST)
        coming = self.lease.wake_at
        if coming and now < coming <= at + SLACK:
            return
        self.crew.wakeups.send(self.lease.account, at=at, now=now)
        self.lease.wake_at = at

    def _may_keep(self, now: datetime) -> bool:
        """Decide whether our session outlives the lease: only where no other process keeps one."""
        lease = self.lease
        elsewhere = lease.kept_by not in ("", self.crew.instance)
        if elsewhere and lease.kept_until and now < lease.kept_until:
            return False
        usable = self.session is not None and self.session.is_alive()
        lease.kept_by = self.crew.instance if usable else ""
        lease.kept_until = now + self.crew.door.keeps_for if usable else None
        return usable

    def _after_writing(self) -> None:
        """Do what must wait until the writes have got through."""
        account, finished = self.account, self.finished
        self.finished = []
        for record in finished:
            if record.status is MessageStatus.SENT:
                self.crew.mailboxes.drop_blob(record)
            if record.status is MessageStatus.UNCERTAIN:
                _log.error(
                    "event=message_uncertain account=%s message=%s", record.account_id, record.id
                )
            if account and record.status is not MessageStatus.QUEUED:
                self.crew.events.message(account, record)

    # what is due

    def _work(self, account: Account) -> datetime | None:
        """Send all that is due; return when to come back, or None when nothing waits."""
        now = self.crew.clock()
        if rest := self._resting(account, now):
            self._expire_all(account)
            return rest
        if not (entries := self.crew.mailboxes.outbox(self.lease.account, PAGE)):
            return self._probe_idle(account)
        while True:
            for number, entry in enumerate(entries):
                following = entries[number + 1] if number + 1 < len(entries) else None
                if (back := self._send_entry(entry, following)) is not None:
                    return back
            if len(entries) < PAGE:
                return None  # whatever came meanwhile has its own wake-up, which we shall meet
            self.lease.flush(self.crew.clock())
            self._after_writing()
            entries = self.crew.mailboxes.outbox(self.lease.account, PAGE)

    def _resting(self, account: Account, now: datetime) -> datetime | None:
        """Return until when the mailbox is left alone, if it is; an account may hold it up."""
        rest = self.lease.rest
        held = _is_held(account)
        if rest.reason == verdict.ACCOUNT and not held:
            self.lease.rest = rest = Rest()
        if rest.until and now < rest.until:
            return rest.until
        if held and not self._may_probe(account):
            until = now + verdict.LONGEST_RECHECK
            self.lease.rest = Rest(until, verdict.ACCOUNT, rest.count)
            return until if self.crew.mailboxes.outbox(account.id, 1) else None
        self.probing = held
        identity = account.identity
        if identity and (until := self.crew.tenants.paused_until(identity.tenant_id, now)):
            self.lease.rest = Rest(until, PACED, rest.count)
            return until
        return None

    def _may_probe(self, account: Account) -> bool:
        obstacle = account.obstacle
        return bool(
            account.status is AccountStatus.ACTION_REQUIRED
            and obstacle
            and self.crew.door.guidance(obstacle).recheck
        )

    def _probe_idle(self, account: Account) -> datetime | None:
        """Look whether an obstacle is gone although no mail waits; return when to look again."""
        obstacle = account.obstacle
        if not self.probing or not obstacle or obstacle.values.get("stage") in verdict.OWN_PHASES:
            return None
        now = self.crew.clock()
        if now > obstacle.since + PROBE_DAYS:
            return None
        opened = self._open(account)
        if not isinstance(opened, Failure):
            self._obstacle_gone()
            return None
        recheck = verdict.recheck_delay(self.lease.rest.count)
        self.lease.rest = Rest(now + recheck, verdict.ACCOUNT, self.lease.rest.count + 1)
        return now + recheck

    def _expire_all(self, account: Account) -> None:
        """Give up, while the mailbox rests, what has waited past its time."""
        now = self.crew.clock()
        for entry in self.crew.mailboxes.outbox(self.lease.account, 1000):
            limit = entry.expires_at or entry.due + verdict.LONGEST_HOLD
            if limit > now or entry.started:
                continue
            record = self.crew.mailboxes.record(account.id, entry.message)
            if record is None:
                continue
            code = "message-expired" if entry.expires_at else "held-too-long"
            self._finish(entry, verdict.given_up(record, code, {}))
            self.lease.flush(now)
            self._after_writing()

    # one message

    def _send_entry(self, entry: Entry, following: Entry | None) -> datetime | None:
        """Send one message; return when to come back if the mailbox is to be left alone now."""
        now = self.crew.clock()
        account = self.account
        if account is None:
            raise LeaseLostError(self.lease.account)
        if entry.due > now:
            return entry.due
        if now > self.end:
            return now
        record, content = self._read(entry)
        if record is None:
            return self._strike(entry)
        if entry.started:
            return self._recover(entry, record)
        if now >= verdict.expiry(record, account, held=True):
            return self._give_up(entry, record, "message-expired")
        if content is None:
            return self._give_up(entry, record, "content-gone")
        slot = self.lease.pace.next_slot(len(record.envelope.rcpt_to), now)
        if slot > now:
            self.lease.rest = Rest(slot, PACED, self.lease.rest.count)
            return slot
        opened = self._session_for(account)
        if isinstance(opened, Failure):
            return self._apply(entry, record, opened)
        return self._submit(opened, entry, record, content, following)

    def _submit(
        self,
        session: Session,
        entry: Entry,
        record: Record,
        content: bytes,
        following: Entry | None,
    ) -> datetime | None:
        """Carry out the SMTP dialogue of one message, its beginning written first."""
        try:
            self.lease.begin(entry, verdict.started(record), self.crew.clock())
        except EntryGoneError:
            self._after_writing()
            self._abandon_chain(record)
            return None
        self._after_writing()
        self._read_ahead(following)
        chained = self._chainable(following)
        if not self.lease.is_safe(self.crew.clock()):
            raise LeaseLostError(self.lease.account)
        try:
            accepted = session.submit(record.envelope, content, then=chained)
        except SubmissionError as error:
            if not error.session_usable:
                self._close()
            return self._apply(entry, record, self.crew.door.failure(error))
        self._sent(entry, record, accepted)
        return None

    def _sent(self, entry: Entry, record: Record, accepted: Accepted) -> None:
        now = self.crew.clock()
        refused = tuple((one.address, one.reply) for one in accepted.refused)
        self.lease.rest = Rest()
        self._finish(entry, verdict.sent(record, accepted.reply, refused, now))
        if self.probing:
            self._obstacle_gone()

    def _apply(self, entry: Entry, record: Record, failure: Failure) -> datetime | None:
        """Write down what follows from *failure*; return when to come back if all must wait."""
        account = self.account
        if account is None:
            raise LeaseLostError(self.lease.account)
        now = self.crew.clock()
        judged = verdict.judge(
            record,
            account,
            failure,
            rests=self.lease.rest.count,
            jitter=self.crew.jitter(),
            now=now,
        )
        self._finish(entry, judged.record, place=judged.place)
        if judged.tenant_pause and account.identity:
            until = now + judged.tenant_pause
            self.crew.tenants.pause(account.identity.tenant_id, until, failure.guidance.code)
        if judged.obstacle and self._obstacle_met(judged.obstacle) is None:
            self.lease.rest = Rest()
            return now  # connected anew meanwhile: come back at once
        if not judged.stops:
            return None
        self._close()
        count = self.lease.rest.count + (0 if judged.reason == PACED else 1)
        until = judged.rest_until or now + verdict.LONGEST_RECHECK
        self.lease.rest = Rest(until, judged.reason, count)
        return until

    def _recover(self, entry: Entry, record: Record) -> None:
        """Settle a message whose sender died between its beginning and its answer."""
        self._finish(entry, verdict.interrupted(record, self.crew.clock()))
        self.lease.flush(self.crew.clock())
        self._after_writing()

    def _give_up(self, entry: Entry, record: Record, code: str) -> None:
        self._finish(entry, verdict.given_up(record, code, {}))
        self._abandon_chain(record)

    def _strike(self, entry: Entry) -> None:
        """Take an outbox line without a message out of the way."""
        _log.error("event=record_missing account=%s message=%s", self.lease.account, entry.message)
        self.lease.strike(entry, self.crew.clock())

    def _finish(self, entry: Entry, record: Record, *, place: datetime | None = None) -> None:
        self.lease.finish(entry, record, place=place)
        self.finished.append(record)

    # the account

    def _obstacle_met(self, obstacle: Obstacle) -> Account | None:
        before = self.account
        after = self._stand(obstacle)
        if after and before and before.obstacle is None:
            _log.warning("event=message_held account=%s code=%s", after.id, obstacle.code)
            self.crew.events.account(after)
        return after

    def _obstacle_gone(self) -> None:
        self.probing = False
        self.lease.rest = Rest()
        if after := self._stand(None):
            self.crew.events.account(after)

    def _stand(self, obstacle: Obstacle | None) -> Account | None:
        if self.account is None:
            return None
        now = self.crew.clock()
        after = self.crew.mailboxes.note_standing(self.lease, obstacle, self.account, now)
        if after:
            self.account = after
        return after

    # the session

    def _session_for(self, account: Account) -> Session | Failure:
        if self.session and self.session.is_alive():
            return self.session
        self._close()
        opened = self._open(account)
        obstacle = account.obstacle
        if (
            not isinstance(opened, Failure)
            and self.probing
            and obstacle
            and obstacle.values.get("stage") not in verdict.OWN_PHASES
        ):
            self._obstacle_gone()
        return opened

    def _open(self, account: Account) -> Session | Failure:
        opened = self.crew.door.open(account)
        if not isinstance(opened, Failure):
            self.session = opened
        return opened

    def _close(self) -> None:
        self.chained = None
        self.leave()

    def _abandon_chain(self, record: Record) -> None:
        """Drop a session that is waiting for the content of a message that will not be sent."""
        if self.chained == record.id:
            self._close()

    # reading ahead

    def _load(self, entry: Entry) -> tuple[Record | None, bytes | None]:
        record = self.crew.mailboxes.record(self.lease.account, entry.message)
        return record, self.crew.mailboxes.content(record) if record else None

    def _read(self, entry: Entry) -> tuple[Record | None, bytes | None]:
        ahead = self.ahead.pop(entry.message, None)
        return ahead.result() if ahead else self._load(entry)

    def _read_ahead(self, entry: Entry | None) -> None:
        """Read the next message while this one is under way."""
        if entry and not entry.started and entry.message not in self.ahead:
            self.ahead[entry.message] = self.crew.readers.submit(self._load, entry)

    def _chainable(self, following: Entry | None) -> Envelope | None:
        """Return the next envelope if it can be sent right behind this message's content."""
        self.chained = None
        ahead = self.ahead.get(following.message) if following else None
        if following is None or ahead is None or self.account is None or self.probing:
            return None
        now = self.crew.clock()
        record, content = ahead.result()
        if record is None or content is None or following.due > now or now > self.end:
            return None
        if now >= verdict.expiry(record, self.account, held=True):
            return None
        if self.lease.pace.next_slot(len(record.envelope.rcpt_to), now) > now:
            return None
        self.chained = record.id
        return record.envelope


def _is_held(account: Account) -> bool:
    return account.status is not AccountStatus.CONNECTED
