"""A caller's word on a message that waits, failed or is uncertain: cancel, retry, resolve."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared.errors import Fault, ServiceError
from shared.members import Members
from shared.messages.record import MessageStatus, Record

type Settlement = Callable[[Record], Record]

_FINISHED = (MessageStatus.SENT, MessageStatus.CANCELLED)


def cancel(record: Record) -> Record:
    """Take a waiting message back; cancelling twice is no fault.

    Raises ServiceError("not-cancellable") when it is being sent, some recipients have it, or it
    has come to its end.
    """
    if record.status is MessageStatus.CANCELLED:
        return record
    if record.status is not MessageStatus.QUEUED or record.is_partly_sent:
        raise ServiceError("not-cancellable", status=record.status.value)
    return replace(record, status=MessageStatus.CANCELLED, next_attempt_at=None, trouble=None)


def retry_at(now: datetime) -> Settlement:
    """Return the settlement that has a failed or waiting message tried *now*.

    It raises ServiceError("not-retryable") for one that is being sent, sent or uncertain.
    """

    def retry(record: Record) -> Record:
        if record.status not in (MessageStatus.QUEUED, MessageStatus.FAILED):
            raise ServiceError("not-retryable", status=record.status.value)
        return _queued_again(record, now)

    return retry


def resolve(as_: str, now: datetime) -> Settlement:
    """Return the settlement of an uncertain message: it counts as sent, or is sent again.

    It raises ServiceError("not-uncertain") for any other message, unless it was so settled before.
    """

    def settle(record: Record) -> Record:
        if record.status is MessageStatus.SENT and as_ == "sent":
            return record
        if record.status is not MessageStatus.UNCERTAIN:
            raise ServiceError("not-uncertain", status=record.status.value)
        if as_ == "resend":
            return _queued_again(record, now)
        moment = record.attempts[-1].at if record.attempts else now
        return replace(
            record,
            status=MessageStatus.SENT,
            sent_at=record.sent_at or moment,
            refused=tuple(one for one in record.refused if one[0] not in (record.left or ())),
            left=None,
            trouble=None,
        )

    return settle


def _queued_again(record: Record, now: datetime) -> Record:
    expires = record.expires_at
    return replace(
        record,
        status=MessageStatus.QUEUED,
        send_at=record.send_at if record.send_at and record.send_at <= now else None,
        next_attempt_at=now,
        expires_at=expires if expires and expires > now else None,
        trouble=None,
    )


def resolution(body: object) -> str:
    """Return ``sent`` or ``resend`` from the body of a resolve request.

    Raises ServiceError("invalid-request") with every fault.
    """
    faults: list[Fault] = []
    members = Members(body, "", ("as",), faults)
    if not faults and "as" not in members:
        members.fault("as", "is missing")
    as_ = members.choice("as", ("sent", "resend"))
    if faults or as_ is None:
        raise ServiceError("invalid-request", faults=faults)
    return as_
