"""The messages' rows: record, outbox line, content and idempotency key, changed together."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.errors import ServiceError
from shared.messages.accept import Kept, Key
from shared.messages.record import MessageStatus, Record
from shared.store.content import Contents
from shared.store.outbox import Entry, entry_of, outbox_values
from shared.store.rows import (
    ACCOUNT,
    content_key,
    idempotency_key,
    message_key,
    outbox_key,
    pack,
    progress_properties,
    record_of,
    record_properties,
    stamp,
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


class Messages:
    """The messages of each partition.

    Failures of the store are ServiceError("storage-unavailable").
    """

    def __init__(self, table: Table, contents: Callable[[], Contents]) -> None:
        self._table = table
        self._contents = contents

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
            Write(Kind.INSERT, outbox_key(due, record.id), outbox_values(record)),
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

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first *limit* lines of the outbox, the earliest due first."""
        rows = self._table.range(account, "outbox:", "outbox;", limit=limit)
        return [entry_of(row) for row in rows]

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
        after: Record | None = None
        for _ in range(20):
            found = self._table.get(account, message_key(message))
            if found is None:
                return None
            before = record_of(found[0])
            if before == after:  # the answer to our write was lost, but it got through
                self.drop_blob(before)
                return before
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
            writes.append(Write(Kind.INSERT, row, outbox_values(after)))
        return writes + self._content_writes(after)

    def _entry(self, record: Record) -> str | None:
        """Find the outbox row of a queued message: where its record says, or by a look at all."""
        due = record.next_attempt_at or record.send_at or record.created_at
        if self._table.get(record.account_id, row := outbox_key(due, record.id)):
            return row
        rows = self._table.range(record.account_id, "outbox:", "outbox;", select=["RowKey"])
        return next((r["RowKey"] for r in rows if r["RowKey"].endswith(record.id)), None)

    def _content_writes(self, record: Record) -> list[Write]:
        """Return the write that deletes a content in the partition when it is done."""
        if record.content_in_blob or not _is_content_done(record):
            return []
        return [Write(Kind.DELETE, content_key(record.id), {})]

    def drop_blob(self, record: Record) -> None:
        """Delete the blob, if any, of a message that needs its content no more."""
        if record.content_in_blob and _is_content_done(record):
            self._contents().delete(record.account_id, record.id)


def _is_content_done(record: Record) -> bool:
    """Failed and uncertain messages keep their content: they may be tried again on request."""
    return record.status in (MessageStatus.SENT, MessageStatus.CANCELLED)


def _is_over(created_at: str, now: datetime) -> bool:
    return datetime.fromisoformat(created_at) + KEY_LIFE < now
