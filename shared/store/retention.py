"""Retention: what is past its time leaves a partition, and a closed one is emptied."""

from collections.abc import Sequence
from datetime import datetime

from shared.identifiers import first_identifier_at, newest_first
from shared.store.rows import ACCOUNT, content_key, message_key, stamp
from shared.store.table import Kind, RowMissingError, Table, Write


class Retention:
    """Deletes by ranges of keys. The store's failures are ServiceError("storage-unavailable")."""

    def __init__(self, table: Table) -> None:
        self._table = table

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

    def purge(self, account: str) -> bool:
        """Delete what a removed account left, a thousand rows at a time; True when all is gone."""
        if self._table.get(account, ACCOUNT):
            return True
        rows = self._table.range(account, "!", "~", limit=1000, select=["RowKey"])
        self._delete(account, [row["RowKey"] for row in rows])
        return len(rows) < 1000

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
