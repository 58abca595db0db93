"""The verdict on one attempt: what becomes of the message, of its mailbox and of the account.

Pure: facts in (the reply and its phase, the guidance row, the record), decision out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.accounts.account import Account, Obstacle
from shared.delivery.failure import Failure
from shared.guidance import Disposition, for_reply
from shared.messages.record import Attempt, MessageStatus, Outcome, Record, Trouble
from shared.microsoft.smtp import Reply
from shared.schedule import Why

LIFETIME = timedelta(hours=48)
"""How long a message is tried when its sender set no ``expires_at``."""
LONGEST_HOLD = timedelta(days=30)
"""How long a message waits for somebody to act when its sender set no ``expires_at``."""
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=30)
FIRST_RECHECK = timedelta(minutes=5)
LONGEST_RECHECK = timedelta(hours=6)
TURNS_AT_THE_HEAD = 5
"""So many times a message is deferred in its place; then others may pass it."""

_LATER = (Disposition.RETRY, Disposition.PACE_MAILBOX, Disposition.PACE_TENANT)

type Refusals = tuple[tuple[str, Reply], ...]
"""Recipients with the replies that refused them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows. *rest_until* None with a *reason* is a rest that only an event ends.

    *place* is the message's new place in the outbox (None: it keeps the one it has).
    """

    record: Record
    reason: Why = Why.NOTHING
    rest_until: datetime | None = None
    place: datetime | None = None
    obstacle: Obstacle | None = None
    tenant_pause: timedelta | None = None

    @property
    def stops(self) -> bool:
        """Tell whether the mailbox is to be left alone now."""
        return bool(self.reason)


def accepted(
    record: Record,
    account: Account,
    reply: Reply,
    refused: Refusals,
    *,
    jitter: float,
    now: datetime,
) -> Verdict:
    """Decide what follows when the server took the message (250 to the content).

    Recipients whom it *refused* for now are served by a later submission of the same message;
    until then others may pass. Whom it refuses for good, or until the time is up, goes without.
    """
    whole = _sent(record, reply, refused, now)
    later = {address: pause for address, one in refused if (pause := _pause(one)) is not None}
    until = now + max(_delay(_own_turns(record.attempts), jitter), *later.values(), timedelta())
    if not later or until >= expiry(record, account, held=False):
        return Verdict(record=whole)
    partly = replace(whole, status=MessageStatus.QUEUED, left=tuple(later), next_attempt_at=until)
    return Verdict(record=partly, place=until)


def _sent(record: Record, reply: Reply, refused: Refusals, now: datetime) -> Record:
    served = set(record.next_envelope.rcpt_to) - {address for address, _ in refused}
    known = tuple(one for one in record.refused if one[0] not in served)
    attempt = Attempt(now, Outcome.SENT, "content", reply)
    return replace(
        record,
        status=MessageStatus.SENT,
        sent_at=record.sent_at or now,
        next_attempt_at=None,
        attempts=record.with_attempt(attempt),
        refused=_updated(known, refused),
        left=None,
        trouble=None,
    )


def _updated(known: Refusals, news: Refusals) -> Refusals:
    """Return the latest reply to each recipient that was refused."""
    return tuple((dict(known) | dict(news)).items())


def _pause(reply: Reply) -> timedelta | None:
    """Return how long a recipient so refused must wait at least, or None if it is for good."""
    row = for_reply("rcpt", reply.code, reply.enhanced, reply.text)
    return (row.pause or timedelta()) if row.disposition in _LATER else None


def started(record: Record) -> Record:
    """Return the record of a message whose SMTP dialogue is about to begin."""
    return replace(record, status=MessageStatus.SENDING, next_attempt_at=None, trouble=None)


def given_up(record: Record, code: str, values: Mapping[str, str]) -> Record:
    """Return the record of a message that is not tried any more.

    One that some recipients have is sent: ``refused`` says who goes without.
    """
    if record.is_partly_sent:
        return replace(
            record, status=MessageStatus.SENT, next_attempt_at=None, left=None, trouble=None
        )
    return replace(
        record,
        status=MessageStatus.FAILED,
        next_attempt_at=None,
        trouble=Trouble(code, dict(values)),
    )


def interrupted(record: Record, now: datetime) -> Record:
    """Return the record of a message whose sender died between its beginning and its answer.

    Whether it was delivered cannot be known, so it is resent only where that was asked for.
    """
    attempt = Attempt(now, Outcome.UNCERTAIN, "content", None)
    attempts = record.with_attempt(attempt)
    if record.on_uncertain == "resend":
        return replace(record, status=MessageStatus.QUEUED, attempts=attempts, trouble=None)
    trouble = Trouble("message-uncertain", {})
    return replace(record, status=MessageStatus.UNCERTAIN, attempts=attempts, trouble=trouble)


def expiry(record: Record, account: Account, *, held: bool) -> datetime:
    """Return when *record* is given up: at its sender's word, or after a fair time of trying.

    The time a message waits for somebody to act is not counted as trying.
    """
    if record.expires_at:
        return record.expires_at
    begin = record.send_at or record.created_at
    if held:
        return begin + LONGEST_HOLD
    return max(begin, account.released_at or begin) + LIFETIME


def judge(
    record: Record,
    account: Account,
    failure: Failure,
    *,
    backoffs: int,
    rechecks: int,
    jitter: float,
    now: datetime,
) -> Verdict:
    """Decide what follows from *failure*, after so many rests of a kind in a row.

    *jitter* is around 1.
    """
    if failure.refused:
        record = replace(record, refused=_updated(record.refused, failure.refused))
    if failure.outcome_unknown:
        record = interrupted(record, now)
        return Verdict(
            record=record, reason=Why.BACKOFF, rest_until=now + _delay(backoffs, jitter)
        )
    match failure.guidance.disposition:
        case Disposition.FAIL:
            return _failed(record, failure, now)
        case Disposition.HOLD | Disposition.REFRESH:
            return _held(record, account, failure, rechecks=rechecks, now=now)
        case Disposition.PACE_MAILBOX | Disposition.PACE_TENANT:
            return _paced(record, failure, now)
        case _:
            return _deferred(record, account, failure, rests=backoffs, jitter=jitter, now=now)


def _failed(record: Record, failure: Failure, now: datetime) -> Verdict:
    attempts = _attempted(record, failure, Outcome.FAILED, now)
    record = replace(record, attempts=attempts)
    if record.left and failure.reply and not failure.refused:
        to_all = tuple((address, failure.reply) for address in record.left)
        record = replace(record, refused=_updated(record.refused, to_all))
    return Verdict(record=given_up(record, failure.guidance.code, failure.values))


def _held(
    record: Record, account: Account, failure: Failure, *, rechecks: int, now: datetime
) -> Verdict:
    since = account.obstacle.since if account.obstacle else now
    obstacle = Obstacle(failure.guidance.code, {**failure.values, "stage": failure.phase}, since)
    return Verdict(
        record=replace(
            record,
            status=MessageStatus.QUEUED,
            attempts=_attempted(record, failure, Outcome.HELD, now),
            next_attempt_at=None,
            trouble=None,
        ),
        reason=Why.ACCOUNT,
        rest_until=now + recheck_delay(rechecks) if failure.guidance.recheck else None,
        obstacle=obstacle,
    )


def _paced(record: Record, failure: Failure, now: datetime) -> Verdict:
    pause = failure.guidance.pause or timedelta(minutes=1)
    tenant = failure.guidance.disposition is Disposition.PACE_TENANT
    return Verdict(
        record=replace(
            record,
            status=MessageStatus.QUEUED,
            attempts=_attempted(record, failure, Outcome.PACED, now),
            next_attempt_at=now + pause,
            trouble=_trouble(failure),
        ),
        reason=Why.TENANT if tenant else Why.LIMITED,
        rest_until=now + pause,
        tenant_pause=pause if tenant else None,
    )


def _deferred(
    record: Record,
    account: Account,
    failure: Failure,
    *,
    rests: int,
    jitter: float,
    now: datetime,
) -> Verdict:
    attempts = _attempted(record, failure, Outcome.DEFERRED, now)
    record = replace(record, status=MessageStatus.QUEUED, attempts=attempts)
    turns = _own_turns(attempts)
    patient = record.is_partly_sent or turns >= TURNS_AT_THE_HEAD
    aside = failure.phase in OWN_PHASES and patient
    pause = failure.guidance.pause or timedelta()
    until = now + max(_delay(turns - 1 if aside else rests, jitter), pause)
    ours = failure.guidance.disposition is Disposition.OUTAGE
    if until >= expiry(record, account, held=ours):
        return Verdict(record=given_up(record, "message-expired", failure.values))
    record = replace(record, next_attempt_at=until, trouble=_trouble(failure))
    if aside:
        return Verdict(record=record, place=until)
    return Verdict(record=record, reason=Why.BACKOFF, rest_until=until)


OWN_PHASES = frozenset({"mail", "rcpt", "data", "content"})
"""The phases in which a refusal may concern this one message."""


def recheck_delay(count: int) -> timedelta:
    """Return how long to wait before looking again whether an obstacle is gone."""
    return min(FIRST_RECHECK * float(2 ** min(count, 10)), LONGEST_RECHECK)


def _own_turns(attempts: tuple[Attempt, ...]) -> int:
    """Return how often a message was tried and something of it, or all, was put off."""
    put_off = (Outcome.DEFERRED, Outcome.SENT)
    return sum(1 for one in attempts if one.outcome in put_off and one.phase in OWN_PHASES)


def _trouble(failure: Failure) -> Trouble:
    """Return why a message waits, for whoever asks meanwhile."""
    return Trouble(failure.guidance.code, dict(failure.values))


def _attempted(
    record: Record, failure: Failure, outcome: Outcome, now: datetime
) -> tuple[Attempt, ...]:
    return record.with_attempt(Attempt(now, outcome, failure.phase, failure.reply))


def _delay(count: int, jitter: float) -> timedelta:
    return min(FIRST_DELAY * float(2 ** min(count, 12)), LONGEST_DELAY) * jitter
