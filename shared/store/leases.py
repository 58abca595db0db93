"""Taking a mailbox's lease: free, busy, or at rest with a wake-up on its way."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.schedule import Rest, Why
from shared.store.lease import LEASE_TIME, Lease
from shared.store.rows import LEASE, Entity, moment, rest_of, stamp
from shared.store.table import ConflictError, Kind, RowChangedError, RowMissingError, Table, Write

GRACE = timedelta(seconds=5)
"""How long after its end a lease is left alone: clocks of two instances differ."""
NEAR = timedelta(seconds=10)
"""A wake-up this close to the announced one may *be* it, by another clock; it is not dropped."""
LATER = timedelta(seconds=1)
"""A wake-up for the end of a lease comes this much after it."""


@dataclass(frozen=True, slots=True)
class Resting:
    """The mailbox is left alone until then, and a wake-up for that moment is on its way."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else is draining the mailbox and now knows that it was asked for.

    That somebody may be dead, so another wake-up is on its way for when the lease would be over.
    """


class Leases:
    """The leases on mailboxes. The store's failures are ServiceError("storage-unavailable")."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def acquire(
        self, account: str, now: datetime, wake: Callable[[datetime], object]
    ) -> Lease | Busy | Resting | None:
        """Take the lease on *account*; None when there is no such mailbox.

        A mailbox that rests with a wake-up on its way is left alone at the price of one read, and
        a busy one is marked as wanted, so that its holder looks once more before it ends. *wake*
        has it woken at a moment; it is called before the mark, which others trust, is made.
        """
        reminder = _Reminder(wake)
        for _ in range(20):
            found = self._table.get(account, LEASE)
            if found is None:
                return None
            row, etag = found
            until, wake_at, rest = (moment(row[key]) for key in ("until", "wake_at", "rest_until"))
            if row["holder"] and until and now < until + GRACE:
                if self._leave_word(account, row, etag, reminder, now):
                    return Busy()
            elif rest and wake_at and now < rest and now + NEAR < wake_at:
                return Resting(wake_at)
            elif lease := self._take(account, row, etag, now):
                return lease
        reminder.send(now + LEASE_TIME)
        return Busy()

    def _leave_word(
        self, account: str, row: Entity, etag: str, reminder: "_Reminder", now: datetime
    ) -> bool:
        """See to it that the holder knows; False if the row changed meanwhile.

        Word that was left counts as long as the wake-up of that time is still to come: when it
        comes it leaves word anew, because the lease may have been renewed since.
        """
        again_at = moment(row["again_at"])
        if row["wanted"] and again_at and now + NEAR < again_at:
            return True
        end = moment(row["until"]) or now
        word = {"wanted": True, "again_at": stamp(reminder.send(end + GRACE + LATER))}
        try:
            self._table.commit(account, [Write(Kind.MERGE, LEASE, word, etag)])
        except (RowChangedError, RowMissingError):
            return False
        return True

    def _take(self, account: str, row: Entity, etag: str, now: datetime) -> Lease | None:
        holder = secrets.token_hex(8)
        row = {**row, "until": stamp(now + LEASE_TIME)}
        mine = {"holder": holder, "until": row["until"], "revision": holder, "wanted": False}
        try:
            taken = self._table.commit(account, [Write(Kind.MERGE, LEASE, mine, etag)])[0]
        except ConflictError:
            found = self._table.get(account, LEASE)
            if found is None or found[0]["revision"] != holder:
                return None
            taken = found[1]  # the answer to an earlier try was lost, but it got through
        return Lease(self._table, account, row, taken, holder)

    def rest(self, account: str) -> Rest:
        """Return whether the mailbox is left alone, until when and why."""
        found = self._table.get(account, LEASE)
        return rest_of(found[0]) if found else Rest()

    def rouse(self, account: str, now: datetime, *, asked: bool = False) -> None:
        """End a mailbox's rest, because what it was resting from is thought to be over.

        What Exchange's limits ask for goes on, unless a caller *asked* for a try; its own pace a
        mailbox always keeps. A drain that is under way needs no rousing: it looks at the account
        again before it ends.
        """
        lasting = {Why.PACED} if asked else {Why.PACED, Why.LIMITED, Why.TENANT}
        reason = Why.ASKED if asked else Why.NOTHING
        changes = {"rest_until": "", "rest_reason": reason.value, "rest_count": 0, "wake_at": ""}
        for _ in range(20):
            found = self._table.get(account, LEASE)
            rest = rest_of(found[0]) if found else Rest()
            if found is None or rest.until is None or rest.reason in lasting:
                return
            if found[0]["holder"] and now < (moment(found[0]["until"]) or now):
                return
            try:
                self._table.commit(account, [Write(Kind.MERGE, LEASE, changes, found[1])])
            except ConflictError:
                continue
            return


class _Reminder:
    """Sends one wake-up, however often it is asked to."""

    def __init__(self, wake: Callable[[datetime], object]) -> None:
        self._wake = wake
        self._sent: datetime | None = None

    def send(self, at: datetime) -> datetime:
        """Send it for *at*, unless it was sent before; return for when it was sent."""
        if self._sent is None:
            self._wake(at)
            self._sent = at
        return self._sent


def new_lease_row() -> Entity:
    """Return what a mailbox's lease row holds when nobody ever held it."""
    return {
        "holder": "",
        "until": "",
        "revision": "",
        "wanted": False,
        "again_at": "",
        "recent": "",
        "hours": "",
        "rest_until": "",
        "rest_reason": "",
        "rest_count": 0,
        "wake_at": "",
        "kept_by": "",
        "kept_until": "",
    }
