"""Retention: what is past its time leaves a partition, and a closed one is emptied."""

from collections.abc import Sequence
from datetime import datetime

from shared.identifiers import first_identifier_at, newest_first
from shared.messages.record import MessageStatus
from shared.store.rows import ACCOUNT, Entity, content_key, message_key, stamp
from shared.store.table import Kind, RowMissingError, Table, Write

PAGE = 1000
"""How many rows are deleted in one go; what is left comes next time."""


class Retention:
    """Deletes by ranges of keys. The store's failures are ServiceError("storage-unavailable")."""

    def __init__(self, table: Table, *, page: int = PAGE) -> None:
        self._table = table
        self._page = page

    def has_records(self, account: str) -> bool:
        """Tell whether the mailbox has any record."""
        return bool(self._table.range(account, "message:", "message;", limit=1, select=["RowKey"]))

    def drop_records(self, account: str, before: datetime) -> bool:
        """Delete up to a page of records older than *before*; True when none is left."""
        oldest = message_key(first_identifier_at(before))
        rows = self._table.range(
            account, oldest, "message;", limit=self._page, select=["RowKey", "status"]
        )
        self._delete(account, [row["RowKey"] for row in rows])
        unsent = (MessageStatus.FAILED, MessageStatus.UNCERTAIN)  # the others have no content
        ids = [_message_of(row) for row in rows if row["status"] in unsent]
        self._delete(account, [content_key(message) for message in ids])
        return len(rows) < self._page

    def drop_keys(self, account: str, before: datetime) -> bool:
        """Delete idempotency keys and redeemed flows older than *before*; True when none is left.

        Younger ones count as left: they are looked at again the next day.
        """
        left = False
        for prefix in ("key:", "flow:"):
            rows = self._table.range(
                account, prefix, f"{prefix[:-1]};", select=["RowKey", "created_at"]
            )
            over = [row["RowKey"] for row in rows if row["created_at"] < stamp(before)]
            self._delete(account, over)
            left = left or len(over) < len(rows)
        return not left

    def purge(self, account: str) -> bool:
        """Delete what a removed account left, a page at a time; True when all is gone."""
        if self._table.get(account, ACCOUNT):
            return True
        rows = self._table.range(account, "!", "~", limit=self._page, select=["RowKey"])
        self._delete(account, [row["RowKey"] for row in rows])
        return len(rows) < self._page

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


def _message_of(row: Entity) -> str:
    return newest_first(row["RowKey"].removeprefix("message:"))
