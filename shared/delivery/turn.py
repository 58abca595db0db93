"""One turn at a mailbox: from the first look at its outbox to giving the lease back."""

import contextlib
import logging
from datetime import datetime, timedelta

from shared.accounts.account import Account, AccountStatus, Obstacle
from shared.delivery import verdict
from shared.delivery.ahead import Ahead
from shared.delivery.crew import Crew
from shared.delivery.failure import Failure
from shared.errors import ServiceError
from shared.messages.record import MessageStatus, Record
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Accepted, Session, SubmissionError
from shared.store.lease import PACED, Entry, EntryGoneError, Lease, LeaseLostError, Rest
from shared.store.table import ConflictError
from shared.store.wakeups import LONGEST

PAGE = 40
"""How many lines of the outbox are looked at in one go."""
TURN = timedelta(minutes=4)
"""How long one turn lasts before the next takes over, well within the function's time."""
SLACK = timedelta(seconds=5)
"""A wake-up that comes this much later than needed is as good as one of our own."""
PROBE_DAYS = timedelta(days=30)
"""For how long an account that waits for an admin is looked at again by itself."""

_log = logging.getLogger(__name__)


class Turn:
    """The work of one drain under one lease; ``run`` it until it is over, then ``leave``."""

    def __init__(self, crew: Crew, lease: Lease) -> None:
        self.crew = crew
        self.lease = lease
        self.end = crew.clock() + TURN
        self.account: Account | None = None
        self.session: Session | None = None
        self.probing = False
        self.ahead = Ahead(self._load, crew.readers)
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

    def give_back(self) -> None:
        """Try once more, after the store failed, to write what is known and end the lease."""
        with contextlib.suppress(ServiceError, LeaseLostError, ConflictError):
            self.lease.release(self.crew.clock())

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
        if identity and (paused := self.crew.tenants.paused_until(identity.tenant_id, now)):
            self.lease.rest = Rest(paused, PACED, rest.count)
            return paused
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
        account = self._known_account()
        if entry.due > now:
            return entry.due
        if now > self.end:
            return now
        ready = self._prepared(entry, account, now)
        if ready is None:
            return None
        record, content = ready
        slot = self.lease.pace.next_slot(len(record.envelope.rcpt_to), now)
        if slot > now:
            self.lease.rest = Rest(slot, PACED, self.lease.rest.count)
            return slot
        opened = self._session_for(account)
        if isinstance(opened, Failure):
            return self._apply(entry, record, opened)
        return self._submit(opened, entry, record, content, following)

    def _prepared(
        self, entry: Entry, account: Account, now: datetime
    ) -> tuple[Record, bytes] | None:
        """Return what is to be sent, or None when the entry was settled without sending."""
        record, content = self.ahead.take(entry)
        if record is None:
            self._strike(entry)
        elif entry.started:
            self._recover(entry, record)
        elif now >= verdict.expiry(record, account, held=True):
            self._give_up(entry, record, "message-expired")
        elif content is None:
            self._give_up(entry, record, "content-gone")
        else:
            return record, content
        return None

    def _known_account(self) -> Account:
        if self.account is None:
            raise LeaseLostError(self.lease.account)
        return self.account

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
        self.ahead.start(following)
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
        account = self._known_account()
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

    # what comes next

    def _load(self, message: str) -> tuple[Record | None, bytes | None]:
        record = self.crew.mailboxes.record(self.lease.account, message)
        return record, self.crew.mailboxes.content(record) if record else None

    def _chainable(self, following: Entry | None) -> Envelope | None:
        """Return the next envelope if it can be sent right behind this message's content."""
        self.chained = None
        if following is None or self.account is None or self.probing:
            return None
        now = self.crew.clock()
        record, content = self.ahead.peek(following)
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
