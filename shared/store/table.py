"""Table Storage as the house needs it: point reads, key ranges, transactions on one partition."""

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from shared.errors import ServiceError
from shared.store.endpoint import Answer, Endpoint
from shared.store.rows import Entity

VERSION = "2019-02-02"
PAGE = 1000
"""Most rows of one answer."""
_JSON = "application/json;odata=minimalmetadata"
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3})", re.MULTILINE)
_ETAG = re.compile(rb"^etag: (.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_INDEX = re.compile(rb'"value" *: *"(\d+):')


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

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        """Return the row and its ETag, or None."""
        answer = self._asked("GET", self._path(partition, row))
        if answer.status == 404:
            return None
        return _entity(_loaded(answer)), answer.headers.get("etag", "")

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
        query = {
            "$filter": f"PartitionKey eq {_quoted(partition)} and RowKey ge {_quoted(lower)}"
            f" and RowKey lt {_quoted(upper)}",
            "$top": str(min(limit or PAGE, PAGE)),
        }
        if select:
            query["$select"] = ",".join(select)
        found: list[Entity] = []
        for page in self._pages(query):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Carry out all *writes* or none; return the new ETags (empty for a deletion).

        Raises RowExistsError, RowMissingError or RowChangedError with the index of the write. A
        commit may have been carried out although its answer was lost: then it is made again, and
        a conflict may be with itself.
        """
        boundary = secrets.token_hex(8)
        body = self._transaction(partition, writes, boundary)
        kind = {"Content-Type": f"multipart/mixed; boundary=batch_{boundary}"}
        answer = self._asked("POST", "/$batch", headers=kind, body=body)
        statuses = [int(status) for status in _STATUS.findall(answer.body)]
        if answer.status != 202 or not statuses:
            raise _failure(answer.status, answer.body)
        if statuses[0] >= 300:
            raise _failure(statuses[0], answer.body)
        parts = answer.body.split(b"HTTP/1.1 ")[1:]
        return [found[1].decode() if (found := _ETAG.search(part)) else "" for part in parts]

    def is_reachable(self) -> bool:
        """Tell whether the table answers; raises nothing."""
        try:
            self.get("-", "-")
        except ServiceError:
            return False
        return True

    def _pages(self, query: Mapping[str, str]) -> Iterator[list[Entity]]:
        going_on: dict[str, str] = {}
        while True:
            answer = self._asked("GET", f"/{self._name}()", query={**query, **going_on})
            if answer.status == 404:
                raise _failure(404, answer.body)
            yield [_entity(one) for one in _loaded(answer)["value"]]
            names = ("NextPartitionKey", "NextRowKey")
            found = {
                name: answer.headers.get(f"x-ms-continuation-{name.lower()}") for name in names
            }
            going_on = {name: value for name, value in found.items() if value}
            if not going_on:
                return

    def _asked(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Ask; a table that is not there yet is made, and what was asked is asked again."""
        sent = {"Accept": _JSON, "DataServiceVersion": "3.0", **(headers or {})}
        answer = self._endpoint.ask(method, path, query=query, headers=sent, body=body)
        if b'"TableNotFound"' not in answer.body:
            return answer
        made = {**sent, "Content-Type": "application/json"}
        named = json.dumps({"TableName": self._name}).encode()
        self._endpoint.ask("POST", "/Tables", headers=made, body=named)  # 409: somebody was faster
        return self._endpoint.ask(method, path, query=query, headers=sent, body=body)

    def _path(self, partition: str, row: str) -> str:
        keys = f"PartitionKey={_quoted(partition)},RowKey={_quoted(row)}"
        return f"/{self._name}({quote(keys, safe="='(),")})"

    def _transaction(self, partition: str, writes: Sequence[Write], boundary: str) -> bytes:
        """Write an entity group transaction (OData batch: one change set)."""
        batch, changes = f"batch_{boundary}", f"changeset_{boundary}"
        parts = [f"--{batch}\r\nContent-Type: multipart/mixed; boundary={changes}\r\n\r\n"]
        for number, write in enumerate(writes):
            parts.append(
                f"--{changes}\r\nContent-Type: application/http\r\n"
                f"Content-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
            )
            parts.append(self._operation(partition, write))
        parts.append(f"--{changes}--\r\n--{batch}--\r\n")
        return "".join(parts).encode()

    def _operation(self, partition: str, write: Write) -> str:
        method, path, condition = "POST", f"/{self._name}", ""
        if write.kind is not Kind.INSERT:
            method, path = _METHODS[write.kind], self._path(partition, write.row)
        if write.kind not in (Kind.INSERT, Kind.UPSERT):
            condition = f"If-Match: {write.etag or '*'}\r\n"
        line = f"{method} {self._endpoint.url}{path} HTTP/1.1\r\n"
        accept = f"Accept: {_JSON}\r\nPrefer: return-no-content\r\nDataServiceVersion: 3.0\r\n"
        if write.kind is Kind.DELETE:
            return f"{line}{accept}{condition}\r\n\r\n"
        values = json.dumps(
            _odata({"PartitionKey": partition, "RowKey": write.row, **write.values})
        )
        content = f"Content-Type: application/json\r\nContent-Length: {len(values)}\r\n"
        return f"{line}{accept}{condition}{content}\r\n{values}\r\n"


_METHODS = {
    Kind.MERGE: "PATCH",
    Kind.REPLACE: "PUT",
    Kind.UPSERT: "PUT",
    Kind.DELETE: "DELETE",
}


def _quoted(text: str) -> str:
    """Write *text* as an OData string."""
    return "'" + text.replace("'", "''") + "'"


def _odata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write properties as the Table service takes them: text, whole numbers, truth, bytes."""
    written: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bytes):
            written[f"{name}@odata.type"] = "Edm.Binary"
            written[name] = base64.b64encode(value).decode()
        else:
            written[name] = value
    return written


def _entity(found: Mapping[str, Any]) -> Entity:
    """Read properties as they were written; what the service adds is left out."""
    return {
        name: base64.b64decode(value) if found.get(f"{name}@odata.type") == "Edm.Binary" else value
        for name, value in found.items()
        if "odata." not in name and name != "Timestamp"
    }


def _loaded(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise _failure(answer.status, answer.body)
    loaded: dict[str, Any] = json.loads(answer.body)
    return loaded


def _failure(status: int, body: bytes) -> Exception:
    """Tell a conflict by its status; whatever else the store answers is its trouble."""
    kind = _CONFLICTS.get(status)
    if kind is None:
        return ServiceError("storage-unavailable", retry_after=5)
    index = _INDEX.search(body)
    return kind(int(index[1]) if index else 0)
