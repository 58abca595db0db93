"""The accounts' rows: whose mailbox it is, how it stands, and what stands in its way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared.accounts.account import Account, AccountStatus, Identity, Obstacle
from shared.errors import ServiceError
from shared.identifiers import new_identifier
from shared.store.lease import Lease
from shared.store.leases import Leases, new_lease_row
from shared.store.rows import (
    ACCOUNT,
    LEASE,
    account_of,
    account_properties,
    flow_key,
    moment,
    stamp,
    standing_properties,
)
from shared.store.table import (
    Kind,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Write,
)


class Accounts:
    """The account of each partition. The store's failures are ServiceError("storage-unavailable").

    Where a change hangs on what the account is, it is made on condition that it still is so.
    """

    def __init__(self, table: Table, leases: Leases) -> None:
        self._table = table
        self._leases = leases

    def create(self, account: Account) -> None:
        """Open the partition of a new *account*."""
        self._table.commit(
            account.id,
            [
                Write(Kind.INSERT, ACCOUNT, {**account_properties(account), "watched_until": ""}),
                Write(Kind.INSERT, LEASE, new_lease_row()),
            ],
        )

    def get(self, account: str) -> Account | None:
        """Return the account, or None when there is none (any more)."""
        found = self._table.get(account, ACCOUNT)
        return account_of(found[0]) if found else None

    def watched(self, account: str) -> tuple[Account, datetime | None] | None:
        """Return the account, and until when the agenda is known to look after its mail."""
        found = self._table.get(account, ACCOUNT)
        return (account_of(found[0]), moment(found[0]["watched_until"])) if found else None

    def watch(self, account: str, until: datetime) -> None:
        """Note until when the agenda looks after the mailbox, if that is still there."""
        try:
            watched = {"watched_until": stamp(until)}
            self._table.commit(account, [Write(Kind.MERGE, ACCOUNT, watched)])
        except RowMissingError:
            return

    def change(self, account: str, change: Callable[[Account], Account | None]) -> Account | None:
        """Apply *change* to the account as it is; None from *change* leaves it alone.

        Returns the account as it then is, or None when there is none.
        """
        for _ in range(20):
            found = self._table.get(account, ACCOUNT)
            if found is None:
                return None
            before = account_of(found[0])
            after = change(before)
            if after is None or after == before:
                return before
            try:
                write = Write(Kind.MERGE, ACCOUNT, account_properties(after), found[1])
                self._table.commit(account, [write])
            except (RowChangedError, RowMissingError):
                continue
            return after
        raise ServiceError("storage-unavailable", retry_after=1)

    def connected(
        self,
        account: str,
        *,
        identity: Identity,
        scope: tuple[str, ...],
        generation: str,
        now: datetime,
    ) -> Account | None:
        """Note a successful connect; None when the account moved on from *generation* or is gone.

        The generation changes, so that older tickets are useless; held mail may leave.
        """

        def change(account: Account) -> Account | None:
            if account.generation != generation:
                return None
            return replace(
                account,
                status=AccountStatus.CONNECTED,
                obstacle=None,
                identity=identity,
                scope=scope,
                generation=new_identifier(now),
                connected_at=now,
                released_at=now,
            )

        after = self.change(account, change)
        if after is None or after.generation == generation or after.identity != identity:
            return None
        self._leases.rouse(account, now)
        return after

    def set_obstacle(
        self, account: str, obstacle: Obstacle | None, *, generation: str, now: datetime
    ) -> Account | None:
        """Note what stands in the way of sending, or that nothing does any more.

        An account that was connected anew since *generation* is left alone.
        """

        def change(account: Account) -> Account | None:
            if account.generation != generation or account.status is AccountStatus.PENDING:
                return None
            return with_obstacle(account, obstacle, now)

        after = self.change(account, change)
        if obstacle is None:
            self._leases.rouse(account, now)
        return after

    def note_standing(
        self, lease: Lease, obstacle: Obstacle | None, account: Account, now: datetime
    ) -> Account | None:
        """Note, under *lease*, what stands in the way of sending, or that nothing does any more.

        Returns None, with nothing written, when the account was connected anew since *account* was
        read, or is gone.
        """
        for _ in range(20):
            found = self._table.get(account.id, ACCOUNT)
            if found is None or (before := account_of(found[0])).generation != account.generation:
                return None
            after = with_obstacle(before, obstacle, now)
            if after == before:
                return after
            values = standing_properties(after.status, after.obstacle)
            values["released_at"] = stamp(after.released_at)
            try:
                lease.flush(now, [Write(Kind.MERGE, ACCOUNT, values, found[1])])
            except RowChangedError:
                continue
            return after
        raise ServiceError("storage-unavailable", retry_after=1)

    def note_refusal(
        self, account: str, obstacle: Obstacle | None, *, generation: str
    ) -> Account | None:
        """Note why an account that is not connected could not be, or that nothing is known of it.

        A connected account goes on as it is, whatever became of an attempt to connect it again.
        """

        def change(account: Account) -> Account | None:
            if account.generation != generation or account.status is not AccountStatus.PENDING:
                return None
            if account.obstacle is None and obstacle is None:
                return None
            return replace(account, obstacle=obstacle)

        return self.change(account, change)

    def redeem_flow(self, account: str, digest: str, now: datetime) -> bool:
        """Note that the authorization flow *digest* is redeemed now; False if it was before."""
        write = Write(Kind.INSERT, flow_key(digest), {"created_at": stamp(now)})
        try:
            self._table.commit(account, [write])
        except RowExistsError:
            return False
        return True

    def remove(self, account: str) -> None:
        """Close the partition: from here on there is no such account, and no drain for it."""
        try:
            writes = [Write(Kind.DELETE, ACCOUNT, {}), Write(Kind.DELETE, LEASE, {})]
            self._table.commit(account, writes)
        except RowMissingError:
            return


def with_obstacle(account: Account, obstacle: Obstacle | None, now: datetime) -> Account:
    """Return *account* with *obstacle* in its way, or with the way free again."""
    if obstacle is None:
        if account.status is not AccountStatus.ACTION_REQUIRED:
            return account
        return replace(account, status=AccountStatus.CONNECTED, obstacle=None, released_at=now)
    since = account.obstacle.since if account.obstacle else obstacle.since
    kept = Obstacle(obstacle.code, obstacle.values, since)
    return replace(account, status=AccountStatus.ACTION_REQUIRED, obstacle=kept)
