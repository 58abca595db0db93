"""The agenda: what is to be done for which account when, so that nothing ever scans everything.

One partition per task, its rows in order of due date; upkeep reads what is due and no more.
"""

from datetime import UTC, datetime, timedelta

from shared.schedule import Item, Task
from shared.store.table import Kind, RowMissingError, Table, Write

BUCKET = {
    Task.SWEEP: timedelta(hours=1),
    Task.TIDY: timedelta(days=1),
    Task.KEEP_ALIVE: timedelta(days=1),
    Task.ABANDON: timedelta(days=1),
    Task.PURGE: timedelta(minutes=10),
}


class Agenda:
    """The ``upkeep`` table. Raises ServiceError("storage-unavailable")."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, task: Task, account: str, at: datetime) -> datetime:
        """Note that *task* is to be done for *account* soon after *at*; return when.

        Moments are rounded up to the task's bucket: the same account twice in a bucket is one row.
        """
        end = bucket_end(task, at)
        self._table.commit(task.value, [Write(Kind.UPSERT, f"{_sortable(end)}:{account}", {})])
        return end

    def due(
        self, task: Task, now: datetime, *, limit: int, after: Item | None = None
    ) -> list[Item]:
        """Return up to *limit* items of *task* whose time has come, the oldest first.

        Those up to *after* are left out.
        """
        lower = f"{after.row}!" if after else "!"
        rows = self._table.range(
            task.value, lower, _sortable(now), limit=limit, select=["PartitionKey", "RowKey"]
        )
        return [Item(task, row["RowKey"]) for row in rows]

    def done(self, item: Item) -> None:
        """Strike *item* out."""
        try:
            self._table.commit(item.task.value, [Write(Kind.DELETE, item.row, {})])
        except RowMissingError:
            return


def bucket_end(task: Task, at: datetime) -> datetime:
    """Return the end of the bucket of *task* that holds *at*."""
    size = BUCKET[task].total_seconds()
    return datetime.fromtimestamp((at.timestamp() // size + 1) * size, UTC)


def _sortable(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S")
