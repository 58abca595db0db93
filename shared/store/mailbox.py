"""A mailbox's partition: the account, its messages, and everything that must change together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.accounts.account import Account, AccountStatus, Identity, Obstacle
from shared.errors import ServiceError
from shared.identifiers import first_identifier_at, new_identifier, newest_first
from shared.messages.accept import Kept, Key
from shared.messages.record import MessageStatus, Record
from shared.store import lease as leases
from shared.store.content import Contents
from shared.store.lease import Entry, Lease, entry_of
from shared.store.rows import (
    ACCOUNT,
    LEASE,
    account_of,
    account_properties,
    content_key,
    flow_key,
    idempotency_key,
    message_key,
    moment,
    outbox_key,
    pack,
    progress_properties,
    record_of,
    record_properties,
    stamp,
    standing_properties,
    unpack,
)
from shared.store.table import (
    ConflictError,
    Kind,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Write,
)

CONTENT_IN_PARTITION = 900 * 1024
"""Larger contents go to Blob Storage: an entity holds 1 MiB at most."""
KEY_LIFE = timedelta(hours=24)


class Mailboxes:
    """All partitions. Failures of the store are ServiceError("storage-unavailable")."""

    def __init__(self, table: Table, contents: Callable[[], Contents]) -> None:
        self._table = table
        self._contents = contents

    # accounts

    def create(self, account: Account) -> None:
        """Open the partition of a new *account*."""
        self._table.commit(
            account.id,
            [
                Write(Kind.INSERT, ACCOUNT, {**account_properties(account), "watched_until": ""}),
                Write(Kind.INSERT, LEASE, leases.new_lease_row()),
            ],
        )

    def get(self, account: str) -> Account | None:
        """Return the account, or None when there is none (any more)."""
        found = self._table.get(account, ACCOUNT)
        return account_of(found[0]) if found else None

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

    def watched(self, account: str) -> tuple[Account, datetime | None] | None:
        """Return the account, and until when the agenda is known to look after its mail."""
        found = self._table.get(account, ACCOUNT)
        return (account_of(found[0]), moment(found[0]["watched_until"])) if found else None

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
        self.rouse(account, now)
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
            self.rouse(account, now)
        return after

    def redeem_flow(self, account: str, digest: str, now: datetime) -> bool:
        """Note that the authorization flow *digest* is redeemed now; False if it was before."""
        write = Write(Kind.INSERT, flow_key(digest), {"created_at": stamp(now)})
        try:
            self._table.commit(account, [write])
        except RowExistsError:
            return False
        return True

    def rouse(self, account: str, now: datetime) -> None:
        """End the mailbox's rest, unless Exchange's limits ask for it."""
        leases.rouse(self._table, account, now)

    def remove(self, account: str) -> None:
        """Close the partition: from here on there is no such account, and no drain for it."""
        try:
            writes = [Write(Kind.DELETE, ACCOUNT, {}), Write(Kind.DELETE, LEASE, {})]
            self._table.commit(account, writes)
        except RowMissingError:
            return

    def purge(self, account: str) -> bool:
        """Delete what a removed account left, a thousand rows at a time; True when all is gone."""
        if self._table.get(account, ACCOUNT):
            return True
        rows = self._table.range(account, "!", "~", limit=1000, select=["RowKey"])
        self._delete(account, [row["RowKey"] for row in rows])
        return len(rows) < 1000

    # messages

    def accept(
        self, record: Record, content: bytes, key: Key | None, watched_until: datetime | None
    ) -> str:
        """Store a message whole, in one transaction; return its id.

        With a *key* that is taken meanwhile the id of the message it stands for is returned.
        *watched_until*, if given, is noted on the account. Raises ServiceError
        ("account-not-found") when the account went away.
        """
        if record.content_in_blob:
            self._contents().put(record.account_id, record.id, content)
        writes = self._acceptance(record, content, watched_until)
        if key:
            writes.append(self._key_write(record, key))
        try:
            self._table.commit(record.account_id, writes)
        except RowMissingError as error:
            raise ServiceError("account-not-found") from error
        except (RowExistsError, RowChangedError) as error:
            # Our own write may have got through although its answer was lost.
            if self.record(record.account_id, record.id):
                return record.id
            if key and (kept := self.kept(record.account_id, key.digest, record.created_at)):
                return kept.message
            raise ServiceError("storage-unavailable", retry_after=1) from error
        return record.id

    def _acceptance(
        self, record: Record, content: bytes, watched_until: datetime | None
    ) -> list[Write]:
        due = record.send_at or record.created_at
        watched = {"watched_until": stamp(watched_until)} if watched_until else {}
        writes = [
            Write(Kind.MERGE, ACCOUNT, watched),  # there must be an account
            Write(Kind.INSERT, message_key(record.id), record_properties(record)),
            Write(Kind.INSERT, outbox_key(due, record.id), leases.outbox_values(record)),
        ]
        if not record.content_in_blob:
            writes.append(Write(Kind.INSERT, content_key(record.id), pack("c", content)))
        return writes

    def _key_write(self, record: Record, key: Key) -> Write:
        values = {
            "fingerprint": key.fingerprint,
            "message": record.id,
            "created_at": stamp(record.created_at),
        }
        row = idempotency_key(key.digest)
        if (found := self._table.get(record.account_id, row)) and _is_over(
            found[0]["created_at"], record.created_at
        ):
            return Write(Kind.REPLACE, row, values, found[1])
        return Write(Kind.INSERT, row, values)

    def kept(self, account: str, digest: str, now: datetime) -> Kept | None:
        """Return what an idempotency key stands for; keys live a day."""
        found = self._table.get(account, idempotency_key(digest))
        if found is None or _is_over(found[0]["created_at"], now):
            return None
        return Kept(found[0]["fingerprint"], found[0]["message"])

    def record(self, account: str, message: str) -> Record | None:
        """Return a message's record, or None."""
        found = self._table.get(account, message_key(message))
        return record_of(found[0]) if found else None

    def records(self, account: str, *, after: str, limit: int) -> list[Record]:
        """Return up to *limit* records, newest first, that are older than the message *after*."""
        lower = f"{message_key(after)}!" if after else "message:"
        return [
            record_of(row) for row in self._table.range(account, lower, "message;", limit=limit)
        ]

    def content(self, record: Record) -> bytes | None:
        """Return the content of *record*, or None when it is gone."""
        if record.content_in_blob:
            return self._contents().get(record.account_id, record.id)
        found = self._table.get(record.account_id, content_key(record.id))
        return unpack("c", found[0]) if found else None

    def waiting(self, account: str) -> int:
        """Return how many messages are not yet sent, held ones included."""
        return len(self._table.range(account, "outbox:", "outbox;", select=["RowKey"]))

    def settle(
        self, account: str, message: str, settle: Callable[[Record], Record]
    ) -> Record | None:
        """Change a message outside a drain, as *settle* decides; None when there is none.

        A record that becomes queued is put into the outbox as due at ``next_attempt_at``; one that
        leaves the queue is taken out. Loses against a drain that began to send it: *settle* is
        then asked again, with the record as it is by then.
        """
        for _ in range(20):
            found = self._table.get(account, message_key(message))
            if found is None:
                return None
            before = record_of(found[0])
            after = settle(before)
            if after == before:
                return before
            progress = Write(
                Kind.MERGE, message_key(message), progress_properties(after), found[1]
            )
            try:
                moves = self._moves(before, after)
                self._table.commit(account, [progress, *moves])
            except ConflictError:
                continue
            self.drop_blob(after)
            return after
        raise ServiceError("storage-unavailable", retry_after=1)

    def _moves(self, before: Record, after: Record) -> list[Write]:
        """Return what happens to the outbox and the content when *before* becomes *after*."""
        writes = []
        if before.status is MessageStatus.QUEUED and (entry := self._entry(before)):
            writes.append(Write(Kind.DELETE, entry, {}))
        if after.status is MessageStatus.QUEUED:
            due = after.next_attempt_at or after.created_at
            row = outbox_key(due, after.id)
            if writes and writes[0].row == row:
                return []
            writes.append(Write(Kind.INSERT, row, leases.outbox_values(after)))
        return writes + self.content_writes(after)

    def _entry(self, record: Record) -> str | None:
        """Find the outbox row of a queued message: where its record says, or by a look at all."""
        due = record.next_attempt_at or record.send_at or record.created_at
        if self._table.get(record.account_id, row := outbox_key(due, record.id)):
            return row
        rows = self._table.range(record.account_id, "outbox:", "outbox;", select=["RowKey"])
        return next((r["RowKey"] for r in rows if r["RowKey"].endswith(record.id)), None)

    def content_writes(self, record: Record) -> list[Write]:
        """Return the write that deletes a content in the partition when it is done."""
        if record.content_in_blob or not _is_content_done(record):
            return []
        return [Write(Kind.DELETE, content_key(record.id), {})]

    def drop_blob(self, record: Record) -> None:
        """Delete the blob, if any, of a message that needs its content no more."""
        if record.content_in_blob and _is_content_done(record):
            self._contents().delete(record.account_id, record.id)

    # the outbox, for whoever holds the lease

    def acquire(self, account: str, now: datetime) -> Lease | leases.Busy | leases.Resting | None:
        """Take the lease on the mailbox; see ``shared.store.lease.acquire``."""
        return leases.acquire(self._table, account, now)

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first *limit* lines of the outbox, the earliest due first."""
        rows = self._table.range(account, "outbox:", "outbox;", limit=limit)
        return [entry_of(row) for row in rows]

    # upkeep

    def watch(self, account: str, until: datetime) -> None:
        """Note until when the agenda looks after the mailbox, if that is still there."""
        try:
            watched = {"watched_until": stamp(until)}
            self._table.commit(account, [Write(Kind.MERGE, ACCOUNT, watched)])
        except RowMissingError:
            return

    def has_records(self, account: str) -> bool:
        """Tell whether the mailbox has any record."""
        return bool(self._table.range(account, "message:", "message;", limit=1, select=["RowKey"]))

    def tidy(self, account: str, *, records_before: datetime, keys_before: datetime) -> bool:
        """Delete records older than one moment, and keys and flows older than another.

        Returns True when keys or flows are left, which are looked at again the next day.
        """
        oldest = message_key(first_identifier_at(records_before))
        old = self._table.range(account, oldest, "message;", limit=1000, select=["RowKey"])
        ids = [newest_first(row["RowKey"].removeprefix("message:")) for row in old]
        self._delete(account, [row["RowKey"] for row in old])
        self._delete(account, [content_key(message) for message in ids])
        left = False
        for prefix in ("key:", "flow:"):
            rows = self._table.range(
                account, prefix, f"{prefix[:-1]};", select=["RowKey", "created_at"]
            )
            over = [row["RowKey"] for row in rows if row["created_at"] < stamp(keys_before)]
            self._delete(account, over)
            left = left or len(over) < len(rows)
        return left

    def _delete(self, account: str, rows: Sequence[str]) -> None:
        for at in range(0, len(rows), 100):
            chunk = rows[at : at + 100]
            try:
                self._table.commit(account, [Write(Kind.DELETE, row, {}) for row in chunk])
            except RowMissingError:
                for row in chunk:
                    self._delete_one(account, row)

    def _delete_one(self, account: str, row: str) -> None:
        try:
            self._table.commit(account, [Write(Kind.DELETE, row, {})])
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


def _is_content_done(record: Record) -> bool:
    """Failed and uncertain messages keep their content: they may be tried again on request."""
    return record.status in (MessageStatus.SENT, MessageStatus.CANCELLED)


def _is_over(created_at: str, now: datetime) -> bool:
    return datetime.fromisoformat(created_at) + KEY_LIFE < now
