"""The lease on a mailbox: whoever holds it may send from it, and nobody else's writes go through.

Every write of a drain travels in one transaction with the lease row, on condition that the row is
still the one the holder knows. A drain that lost its lease can therefore write nothing. A wake-up
that meets a held lease notes on the row that it was there; the row changes, so the holder cannot
give the lease back without having seen it and looked once more: no wake-up is lost.
"""

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.messages.record import MessageStatus, Record
from shared.microsoft.pacing import Pace
from shared.store.outbox import Entry, outbox_values
from shared.store.rows import (
    ACCOUNT,
    LEASE,
    Entity,
    content_key,
    message_key,
    moment,
    outbox_key,
    progress_properties,
    rest_of,
    stamp,
)
from shared.store.table import (
    ConflictError,
    Kind,
    RowMissingError,
    Table,
    Write,
)

LEASE_TIME = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=20)

_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Somebody else holds the mailbox now; what was to be written was not."""


class EntryGoneError(Exception):
    """The message to begin was cancelled or moved meanwhile; what was pending is written."""


class _WantedError(Exception):
    """A wake-up came while the lease was being given back."""


class Lease:
    """The right to send from one mailbox, held until given back or not renewed.

    What becomes of one message is kept pending and written together with the beginning of the
    next, so that a message costs one transaction. *pace* and *rest* belong to the holder and are
    written along; *settled* are messages whose callers were quicker. *wake_at* is the moment of a
    wake-up that is known to be on its way; *kept_by* says whose idle connection to Exchange may
    still be open, and *kept_until* how long.
    """

    def __init__(self, table: Table, account: str, row: Entity, etag: str, holder: str) -> None:
        self.account = account
        self.pace = Pace.from_values(row["recent"], row["hours"])
        self.rest = rest_of(row)
        self.wake_at = moment(row["wake_at"])
        self.kept_by: str = row["kept_by"]
        self.kept_until = moment(row["kept_until"])
        self._until = moment(row["until"]) or datetime.min.replace(tzinfo=UTC)
        self.settled: set[str] = set()
        self._pending: list[tuple[str, list[Write]]] = []
        self._wanted = False
        self._table = table
        self._etag = etag
        self._holder = holder
        self._lock = threading.Lock()

    def is_safe(self, now: datetime) -> bool:
        """Tell whether the lease is surely still ours at *now*, by our own clock."""
        return now < self._until

    def begin(self, entry: Entry, record: Record, now: datetime) -> None:
        """Write what is pending and that *record* is being sent, in one transaction.

        Raises LeaseLostError, or EntryGoneError when the message is not in the outbox any more.
        """
        starting = [
            Write(Kind.MERGE, entry.row, {"started": True}),
            Write(Kind.MERGE, message_key(record.id), progress_properties(record)),
        ]
        pace = self.pace.copy()
        self.pace.count(len(record.next_envelope.rcpt_to), now)
        with self._lock:
            try:
                self._commit(now, starting)
            except RowMissingError as error:
                self.pace = pace
                self._commit(now)
                raise EntryGoneError(record.id) from error

    def finish(self, entry: Entry, record: Record, *, place: datetime | None = None) -> None:
        """Keep pending what became of *record*; a queued one moves to *place* if that is given.

        Should the message turn out to have left the outbox meanwhile, which only one that was not
        begun can, nothing is written about it and its id is added to *settled*.
        """
        writes = [Write(Kind.MERGE, message_key(record.id), progress_properties(record))]
        if record.status is MessageStatus.QUEUED and place is None:
            writes.append(Write(Kind.MERGE, entry.row, {"started": False}))
        else:
            writes.append(Write(Kind.DELETE, entry.row, {}))
        if record.status is MessageStatus.QUEUED and place is not None:
            writes.append(Write(Kind.INSERT, outbox_key(place, record.id), outbox_values(record)))
        if record.status is MessageStatus.SENT:
            writes.append(Write(Kind.MERGE, ACCOUNT, {"last_sent_at": stamp(record.sent_at)}))
            if not record.content_in_blob:
                writes.append(Write(Kind.DELETE, content_key(record.id), {}))
        self.settled.discard(record.id)
        self._pending.append((record.id, writes))

    def strike(self, entry: Entry, now: datetime) -> None:
        """Take out an outbox line that has no message. Raises LeaseLostError."""
        self.flush(now, [Write(Kind.DELETE, entry.row, {})])

    def flush(self, now: datetime, also: Sequence[Write] = ()) -> None:
        """Write what is pending, and *also*, and renew the lease. Raises LeaseLostError."""
        with self._lock:
            self._commit(now, also)

    def renew(self, now: datetime) -> None:
        """Keep the lease for another ``LEASE_TIME``. Raises LeaseLostError."""
        with self._lock:
            self._write((), self._values(self._holder, now + LEASE_TIME), now)
            self._until = now + LEASE_TIME

    def release(self, now: datetime) -> bool:
        """Write what is pending and give the lease back, in one transaction.

        Returns False, with the lease kept and all written, when a wake-up came meanwhile.
        """
        with self._lock:
            if not self._wanted:
                try:
                    self._write_pending((), self._values("", now), now, giving_back=True)
                except _WantedError:
                    pass
                else:
                    self._until = now
                    return True
            self._wanted = False
            values = {**self._values(self._holder, now + LEASE_TIME), "wanted": False}
            self._write_pending((), values, now)
            self._until = now + LEASE_TIME
            return False

    def _commit(self, now: datetime, also: Sequence[Write] = ()) -> None:
        self._write_pending(also, self._values(self._holder, now + LEASE_TIME), now)
        self._until = now + LEASE_TIME

    def _write_pending(
        self,
        also: Sequence[Write],
        values: dict[str, Any],
        now: datetime,
        *,
        giving_back: bool = False,
    ) -> None:
        """Write what is pending and *also*; a message that its caller settled first is left so."""
        while True:
            writes = _joined([one for _, mine in self._pending for one in mine], also)
            try:
                self._write(writes, values, now, giving_back=giving_back)
            except RowMissingError as error:
                missing = writes[error.index].row
                settled = [id_ for id_, mine in self._pending if missing in {w.row for w in mine}]
                if not settled:
                    raise
                self.settled.update(settled)
                self._pending = [one for one in self._pending if one[0] not in settled]
            else:
                self._pending = []
                return

    def _write(
        self,
        writes: Sequence[Write],
        values: dict[str, Any],
        now: datetime,
        *,
        giving_back: bool = False,
    ) -> None:
        """Write on condition that the lease row is the one we know; see what changed if it is not.

        The answer to an earlier try may have been lost though it got through: its revision tells.
        """
        for _ in range(20):
            mine = Write(Kind.MERGE, LEASE, values, self._etag)
            try:
                self._etag = self._table.commit(self.account, (mine, *writes))[0]
            except ConflictError as error:
                # A repeated transaction can fail at any row: what it deletes is gone already.
                if self._adopt(values["revision"], now):
                    return
                if error.index > 0:
                    raise type(error)(error.index - 1) from error
                if giving_back and self._wanted:
                    raise _WantedError from error
            else:
                return
        raise LeaseLostError(self.account)

    def _adopt(self, revision: str, now: datetime) -> bool:
        """Look at the row that changed under us; True if our own write got through."""
        found = self._table.get(self.account, LEASE)
        if found is None:
            raise LeaseLostError(self.account)
        row, etag = found
        if row["revision"] == revision:
            self._etag = etag
            return True
        if row["holder"] != self._holder:
            _log.warning("event=lease_lost account=%s at=%s", self.account, stamp(now))
            self._until = now
            raise LeaseLostError(self.account)
        self._etag = etag
        self._wanted = self._wanted or bool(row["wanted"])
        return False

    def _values(self, holder: str, until: datetime) -> dict[str, Any]:
        recent, hours = self.pace.values()
        return {
            "holder": holder,
            "until": stamp(until),
            "revision": secrets.token_hex(8),
            "recent": recent,
            "hours": hours,
            "rest_until": stamp(self.rest.until),
            "rest_reason": self.rest.reason.value,
            "rest_count": self.rest.count,
            "wake_at": stamp(self.wake_at),
            "kept_by": self.kept_by,
            "kept_until": stamp(self.kept_until),
        }


def _joined(pending: Sequence[Write], also: Sequence[Write]) -> list[Write]:
    """Return both lists as one that takes each row once, as a transaction must."""
    joined: dict[str, Write] = {}
    for write in (*pending, *also):
        earlier = joined.pop(write.row, None)
        values = {**earlier.values, **write.values} if earlier else write.values
        joined[write.row] = replace(write, values=values)
    return list(joined.values())
