"""Table Storage as the house needs it: point reads, key ranges, transactions on one partition."""

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.data.tables import TableClient, TableErrorCode, TableTransactionError, UpdateMode

from shared.errors import ServiceError
from shared.store.rows import Entity


class Kind(StrEnum):
    """What a write does: ``insert`` wants no row, ``merge`` and ``replace`` want one."""

    INSERT = "insert"
    MERGE = "merge"
    REPLACE = "replace"
    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a transaction; with *etag* it holds only while the row is unchanged."""

    kind: Kind
    row: str
    values: Mapping[str, Any]
    etag: str | None = None


class ConflictError(Exception):
    """A transaction was refused whole because of the write at *index*."""

    def __init__(self, index: int) -> None:
        super().__init__(f"write {index}")
        self.index = index


class RowExistsError(ConflictError):
    """The row to insert is there already."""


class RowMissingError(ConflictError):
    """The row to change or delete is not there."""


class RowChangedError(ConflictError):
    """The row is no longer what it was when it was read."""


_CONFLICTS = {404: RowMissingError, 409: RowExistsError, 412: RowChangedError}


class Table:
    """One table. Everything but a conflict is raised as ServiceError("storage-unavailable")."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        """Return the row and its ETag, or None."""
        try:
            entity = self._reached(lambda: self._client.get_entity(partition, row))
        except RowMissingError:
            return None
        return dict(entity), entity.metadata["etag"] or ""

    def range(
        self,
        partition: str,
        lower: str,
        upper: str,
        *,
        limit: int | None = None,
        select: Sequence[str] | None = None,
    ) -> list[Entity]:
        """Return the rows from *lower* up to, not with, *upper* in key order; *limit* at most."""

        def read() -> list[Entity]:
            found = self._client.query_entities(
                "PartitionKey eq @partition and RowKey ge @lower and RowKey lt @upper",
                parameters={"partition": partition, "lower": lower, "upper": upper},
                results_per_page=min(limit or 1000, 1000),
                select=list(select) if select else None,
            )
            return [dict(entity) for entity in itertools.islice(found, limit)]

        return self._reached(read)

    def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Carry out all *writes* or none; return the new ETags (empty for a deletion).

        Raises RowExistsError, RowMissingError or RowChangedError with the index of the write.
        """
        operations = [_operation(partition, write) for write in writes]
        results = self._reached(lambda: self._client.submit_transaction(operations))
        return [result.get("etag") or "" for result in results]

    def is_reachable(self) -> bool:
        """Tell whether the table answers; raises nothing."""
        try:
            self.get("-", "-")
        except ServiceError:
            return False
        return True

    def _reached[T](self, call: Callable[[], T]) -> T:
        """Make *call*; a table that is not there yet is made, and the call made again."""
        try:
            return call()
        except HttpResponseError as error:
            if getattr(error, "error_code", None) != TableErrorCode.TABLE_NOT_FOUND:
                raise _failure(error) from error
        except AzureError as error:
            raise ServiceError("storage-unavailable", retry_after=5) from error
        try:
            with contextlib.suppress(ResourceExistsError):
                self._client.create_table()
            return call()
        except AzureError as error:
            raise _failure(error) from error


def _operation(partition: str, write: Write) -> Any:  # noqa: ANN401 - the SDK's own union
    entity = {"PartitionKey": partition, "RowKey": write.row, **write.values}
    condition: dict[str, Any] = (
        {"etag": write.etag, "match_condition": MatchConditions.IfNotModified}
        if write.etag
        else {}
    )
    match write.kind:
        case Kind.INSERT:
            return ("create", entity)
        case Kind.DELETE:
            return ("delete", entity, condition)
        case Kind.UPSERT:
            return ("upsert", entity, {"mode": UpdateMode.REPLACE})
        case Kind.MERGE:
            return ("update", entity, {"mode": UpdateMode.MERGE, **condition})
        case Kind.REPLACE:
            return ("update", entity, {"mode": UpdateMode.REPLACE, **condition})


def _failure(error: AzureError) -> Exception:
    """Tell a conflict by its status; whatever else the store answers is its trouble."""
    kind = _CONFLICTS.get(getattr(error, "status_code", None) or 0)
    if kind is None:
        return ServiceError("storage-unavailable", retry_after=5)
    return kind(error.index if isinstance(error, TableTransactionError) else 0)
