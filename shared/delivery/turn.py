"""One turn at a mailbox: from the first look at its outbox to giving the lease back."""

import contextlib
import logging
from datetime import datetime, timedelta

from shared.delivery import verdict
from shared.delivery.ahead import Ahead
from shared.delivery.conversation import Conversation
from shared.delivery.crew import Crew
from shared.delivery.failure import Failure
from shared.delivery.results import Results
from shared.delivery.standing import Standing
from shared.errors import ServiceError
from shared.messages.record import MessageStatus, Record
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Accepted, SubmissionError
from shared.schedule import Rest, Why
from shared.store.lease import Lease, LeaseLostError
from shared.store.outbox import Entry
from shared.store.table import ConflictError
from shared.store.wakeups import LONGEST

PAGE = 40
"""How many lines of the outbox are looked at in one go."""
TURN = timedelta(minutes=4)
"""How long one turn lasts before the next takes over, well within the function's time."""
SLACK = timedelta(seconds=5)
"""A wake-up that comes this much later than needed is as good as one of our own."""

_log = logging.getLogger(__name__)


class Turn:
    """The work of one drain under one lease; ``run`` it until it is over, then ``leave``.

    Raises LeaseLostError once the mailbox is somebody else's or gone.
    """

    def __init__(self, crew: Crew, lease: Lease) -> None:
        self._crew = crew
        self._lease = lease
        self._end = crew.clock() + TURN
        self._standing = Standing(crew, lease)
        self._conversation = Conversation(crew.door)
        self._results = Results(lease, crew.messages, crew.events)
        self._ahead = Ahead(self._load, crew.readers)
        self._aside: datetime | None = None

    def run(self) -> bool:
        """Send what is due and give the lease back; False when a wake-up came meanwhile."""
        self._standing.read()
        self._aside = None
        back = min(filter(None, (self._work(), self._aside)), default=None)
        now = self._crew.clock()
        self._conversation.come_to_rest()
        if back is not None:
            self._be_woken(back, now)
        keeps = self._may_keep(now)
        released = self._lease.release(now)
        self._results.tell(self._standing.account)
        if released and keeps:
            self._conversation.keep(self._standing.account)
        return released

    def give_back(self) -> None:
        """Try once more, after the store failed, to write what is known and end the lease."""
        with contextlib.suppress(ServiceError, LeaseLostError, ConflictError):
            self._lease.release(self._crew.clock())

    def leave(self) -> None:
        """Close what is still open."""
        self._conversation.close()

    def _be_woken(self, back: datetime, now: datetime) -> None:
        """See to it that a wake-up is on its way for *back*."""
        at = min(back, now + LONGEST)
        coming = self._lease.wake_at
        if coming and now < coming <= at + SLACK:
            return
        self._crew.wakeups.send(self._lease.account, at=at, now=now)
        self._lease.wake_at = at

    def _may_keep(self, now: datetime) -> bool:
        """Decide whether our session outlives the lease: only where no other process keeps one."""
        lease = self._lease
        elsewhere = lease.kept_by not in ("", self._crew.instance)
        if elsewhere and lease.kept_until and now < lease.kept_until:
            return False
        usable = self._conversation.is_open
        lease.kept_by = self._crew.instance if usable else ""
        lease.kept_until = now + self._crew.door.keeps_for if usable else None
        return usable

    # what is due

    def _work(self) -> datetime | None:
        """Send all that is due; return when to come back, or None when nothing waits."""
        if rest := self._resting():
            self._expire_all()
            return rest
        if not (entries := self._outbox(PAGE)):
            return self._probe_idle()
        while True:
            for number, entry in enumerate(entries):
                following = entries[number + 1] if number + 1 < len(entries) else None
                if (back := self._send_entry(entry, following)) is not None:
                    return back
            if len(entries) < PAGE:
                return None  # whatever came meanwhile has its own wake-up, which we shall meet
            self._results.write(self._standing.account, self._crew.clock())
            entries = self._outbox(PAGE)

    def _outbox(self, limit: int) -> list[Entry]:
        return self._crew.messages.outbox(self._lease.account, limit)

    def _resting(self) -> datetime | None:
        """Return until when the mailbox is left alone, if it is; an account may hold it up."""
        now, rest, standing = self._crew.clock(), self._lease.rest, self._standing
        if rest.reason == Why.ACCOUNT and not standing.is_held:
            self._lease.rest = rest = Rest()
        if rest.until and now < rest.until:
            return rest.until
        if standing.is_held and not standing.may_end_by_itself:
            until = now + verdict.LONGEST_RECHECK
            self._lease.rest = Rest(until, Why.ACCOUNT, rest.count)
            return until if self._outbox(1) else None
        standing.probing = standing.is_held
        identity = standing.account.identity
        if rest.reason == Why.ASKED:  # then this mailbox tries what its tenant waits with
            self._lease.rest = Rest()
        elif identity and (paused := self._crew.tenants.paused_until(identity.tenant_id, now)):
            self._lease.rest = Rest(paused, Why.TENANT, rest.count)
            return paused
        return None

    def _probe_idle(self) -> datetime | None:
        """Look whether an obstacle is gone although no mail waits; return when to look again."""
        if not self._standing.is_worth_a_session:
            return None
        if self._conversation.open(self._standing.account) is None:
            self._standing.cleared()
            return None
        self._lease.rest = self._standing.still_in_the_way()
        return self._lease.rest.until

    def _expire_all(self) -> None:
        """Give up, while the mailbox rests, what has waited past its time."""
        now = self._crew.clock()
        for entry in self._outbox(1000):
            limit = entry.expires_at or entry.due + verdict.LONGEST_HOLD
            if limit > now or entry.started:
                continue
            record = self._crew.messages.record(self._lease.account, entry.message)
            if record is None:
                continue
            code = "message-expired" if entry.expires_at else "held-too-long"
            self._results.add(entry, verdict.given_up(record, code, {}))
            self._results.write(self._standing.account, now)

    # one message

    def _send_entry(self, entry: Entry, following: Entry | None) -> datetime | None:
        """Send one message; return when to come back if the mailbox is to be left alone now."""
        now = self._crew.clock()
        if entry.due > now:
            return entry.due
        if now > self._end:
            return now
        ready = self._prepared(entry, now)
        if ready is None:
            return None
        record, content = ready
        slot = self._lease.pace.next_slot(len(record.next_envelope.rcpt_to), now)
        if slot > now:
            self._lease.rest = Rest(slot, Why.PACED, self._lease.rest.count)
            return slot
        if failure := self._open():
            return self._apply(entry, record, failure)
        return self._submit(entry, record, content, following)

    def _prepared(self, entry: Entry, now: datetime) -> tuple[Record, bytes] | None:
        """Return what is to be sent, or None when the entry was settled without sending."""
        record, content = self._ahead.take(entry)
        if record and entry.started:
            record = self._recovered(entry, record)
            if record.status is not MessageStatus.QUEUED:
                return None
        if record is None:
            self._strike(entry)
        elif now >= verdict.expiry(record, self._standing.account, held=True):
            self._give_up(entry, record, "message-expired")
        elif content is None:
            self._give_up(entry, record, "content-gone")
        else:
            return record, content
        return None

    def _open(self) -> Failure | None:
        failure = self._conversation.open(self._standing.account)
        if failure is None and self._standing.a_session_proves_it:
            self._standing.cleared()
        return failure

    def _submit(
        self, entry: Entry, record: Record, content: bytes, following: Entry | None
    ) -> datetime | None:
        """Carry out the SMTP dialogue of one message, its beginning written first."""
        started, account = verdict.started(record), self._standing.account
        if not self._results.begin(entry, started, account, self._crew.clock()):
            self._conversation.skip(record.id)
            return None
        self._ahead.start(following)
        then = self._chainable(following)
        if not self._lease.is_safe(self._crew.clock()):
            raise LeaseLostError(self._lease.account)
        try:
            accepted = self._conversation.submit(record.next_envelope, content, then)
        except SubmissionError as error:
            return self._apply(entry, record, self._crew.door.failure(error))
        self._sent(entry, record, accepted)
        return None

    def _sent(self, entry: Entry, record: Record, accepted: Accepted) -> None:
        refused = tuple((one.address, one.reply) for one in accepted.refused)
        self._lease.rest = Rest()
        judged = verdict.accepted(
            record,
            self._standing.account,
            accepted.reply,
            refused,
            jitter=self._crew.jitter(),
            now=self._crew.clock(),
        )
        self._put(entry, judged)
        if self._standing.probing:
            self._standing.cleared()

    def _put(self, entry: Entry, judged: verdict.Verdict) -> None:
        """Keep pending what was judged, and remember when a message that makes way is due."""
        self._results.add(entry, judged.record, place=judged.place)
        if judged.place:
            self._aside = min(judged.place, self._aside or judged.place)

    def _apply(self, entry: Entry, record: Record, failure: Failure) -> datetime | None:
        """Write down what follows from *failure*; return when to come back if all must wait."""
        now, rest, account = self._crew.clock(), self._lease.rest, self._standing.account
        self._log_failure(record, failure)
        held = rest.reason == Why.ACCOUNT
        judged = verdict.judge(
            record,
            account,
            failure,
            backoffs=0 if held else rest.count,
            rechecks=rest.count if held else 0,
            jitter=self._crew.jitter(),
            now=now,
        )
        self._put(entry, judged)
        if judged.tenant_pause and account.identity:
            until = now + judged.tenant_pause
            self._crew.tenants.pause(account.identity.tenant_id, until, failure.guidance.code)
        if judged.obstacle and not self._standing.met(judged.obstacle):
            self._lease.rest = Rest()
            return now  # connected anew meanwhile: come back at once
        return self._rest(judged, rest, now) if judged.stops else None

    def _log_failure(self, record: Record, failure: Failure) -> None:
        _log.warning(
            "event=attempt_failed account=%s message=%s phase=%s code=%s reason=%s reply=%s",
            record.account_id,
            record.id,
            failure.phase,
            failure.guidance.code,
            failure.reason,
            failure.reply.code if failure.reply else "none",
        )

    def _rest(self, judged: verdict.Verdict, before: Rest, now: datetime) -> datetime:
        """Leave the mailbox alone as *judged*; return until when."""
        self._conversation.close()
        until = judged.rest_until or now + verdict.LONGEST_RECHECK
        if judged.reason in (Why.LIMITED, Why.TENANT):
            count = before.count
        elif (judged.reason == Why.ACCOUNT) is (before.reason == Why.ACCOUNT):
            count = before.count + 1
        else:
            count = 1
        self._lease.rest = Rest(until, judged.reason, count)
        return until

    def _recovered(self, entry: Entry, record: Record) -> Record:
        """Settle a message whose sender died between its beginning and its answer.

        One that is to be sent again is sent now, before those behind it.
        """
        now = self._crew.clock()
        record = verdict.interrupted(record, now)
        self._results.add(entry, record)
        self._results.write(self._standing.account, now)
        return record

    def _give_up(self, entry: Entry, record: Record, code: str) -> None:
        self._results.add(entry, verdict.given_up(record, code, {}))
        self._conversation.skip(record.id)

    def _strike(self, entry: Entry) -> None:
        """Take an outbox line without a message out of the way."""
        account = self._lease.account
        _log.error("event=record_missing account=%s message=%s", account, entry.message)
        self._lease.strike(entry, self._crew.clock())
        self._conversation.skip(entry.message)

    # what comes next

    def _load(self, message: str) -> tuple[Record | None, bytes | None]:
        record = self._crew.messages.record(self._lease.account, message)
        return record, self._crew.messages.content(record) if record else None

    def _chainable(self, following: Entry | None) -> tuple[str, Envelope] | None:
        """Return the next message's envelope if it can be sent right behind this one's content."""
        if following is None or self._standing.probing:
            return None
        now = self._crew.clock()
        record, content = self._ahead.peek(following)
        if record is None or content is None or following.due > now or now > self._end:
            return None
        if now >= verdict.expiry(record, self._standing.account, held=True):
            return None
        if self._lease.pace.next_slot(len(record.next_envelope.rcpt_to), now) > now:
            return None
        return record.id, record.next_envelope
