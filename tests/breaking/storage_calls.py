"""What a request to Azure Storage does, in words that stay the same from run to run.

``table mailboxes commit lease+outbox+message``, ``queue wakeups send``, ``blob content put``: the
service, the table, queue or container, the deed, and for tables the rows by their kinds.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from tests.breaking.http_bytes import Message

HOST_CONTAINER = "azure-webjobs-hosts"
PART = re.compile(
    rb"\r\n(?P<method>POST|PUT|PATCH|MERGE|DELETE) (?P<url>\S+) HTTP/1\.1\r\n"
    rb"(?P<rest>.*?)(?=\r\n--|\Z)",
    re.DOTALL,
)
ROW_IN_PATH = re.compile(r"RowKey='((?:[^']|'')*)'")
ROW_IN_BODY = re.compile(rb'"RowKey":\s*"([^"]*)"')
LOWER_BOUND = re.compile(r"RowKey ge '([^']*)'")
ROOT = re.compile(r"^[^:]*")


@dataclass(slots=True)
class Call:
    """One call: what it does, for whom (``product`` or ``host``), and how it ended.

    *status* is 0 until the store answered; *fault* names what the front did to it.
    """

    step: str
    owner: str
    status: int = 0
    fault: str = ""


def called(service: str, request: Message, taken: set[str]) -> Call:
    """Name what *request* does; *taken* are the ids of queue messages that a host took."""
    method, target, _ = request.first.split(" ", 2)
    parts = urlsplit(target)
    path = unquote(parts.path).strip("/").split("/")[1:]
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if service == "table":
        return Call(f"table {_table_step(method, path, query, request.body)}", "product")
    if service == "queue":
        step, owner = _queue_step(method, path, query, taken)
        return Call(f"queue {step}", owner)
    name = path[0] if path else "-"
    owner = "host" if name == HOST_CONTAINER else "product"
    return Call(f"blob {name} {_blob_deed(method, query)}", owner)


def _table_step(method: str, path: list[str], query: dict[str, str], body: bytes) -> str:
    resource = path[0] if path else ""
    if resource == "$batch":
        return _transaction(body)
    if resource == "Tables" and method == "POST":
        made = re.search(rb'"TableName":\s*"([^"]+)"', body)
        return f"{made[1].decode() if made else '-'} create"
    name = resource.partition("(")[0]
    if found := ROW_IN_PATH.search(resource):
        return f"{name} {method.lower()} {_kind(found[1])}"
    if bound := LOWER_BOUND.search(query.get("$filter", "")):
        return f"{name} query {_kind(bound[1]).strip('!') or 'all'}"
    return f"{name} {method.lower()}"


def _transaction(body: bytes) -> str:
    name, rows = "-", []
    for part in PART.finditer(body):
        resource = unquote(urlsplit(part["url"].decode()).path).rpartition("/")[2]
        name = resource.partition("(")[0]
        in_path = ROW_IN_PATH.search(resource)
        in_body = ROW_IN_BODY.search(part["rest"])
        row = in_path[1] if in_path else in_body[1].decode() if in_body else "?"
        rows.append(_lease_kind(part["rest"]) if row == "lease" else _kind(row))
    return f"{name} commit {'+'.join(rows)}"


def _lease_kind(values: bytes) -> str:
    """Tell what a write to a lease row is about."""
    if b'"holder"' not in values:
        return "wanted" if re.search(rb'"wanted":\s*true', values) else "lease-row"
    return "lease-back" if re.search(rb'"holder":\s*""', values) else "lease"


def _kind(row: str) -> str:
    """Cut a row's key down to its kind: ``outbox:…`` to ``outbox``, dates and ids to ``item``."""
    kind = ROOT.match(row)
    found = kind[0] if kind else row
    return "item" if found[:1].isdigit() else found


def _queue_step(
    method: str, path: list[str], query: dict[str, str], taken: set[str]
) -> tuple[str, str]:
    name = path[0] if path else "-"
    if len(path) < 2:
        deeds = {"PUT": "create", "GET": "properties", "DELETE": "remove"}
        return f"{name} {deeds.get(method, method.lower())}", "product"
    if len(path) == 2:
        deed = {"POST": "send", "GET": "take", "DELETE": "clear"}.get(method, method.lower())
        poison = name.endswith("-poison")
        return f"{name} {deed}", "host" if (deed == "take") is not poison else "product"
    if method == "PUT":
        return f"{name} renew", "host"
    if path[2] in taken:
        return f"{name} delete", "host"
    return f"{name} call-back", "product"


def _blob_deed(method: str, query: dict[str, str]) -> str:
    if query.get("restype") == "container":
        return {"PUT": "create", "GET": "properties"}.get(method, method.lower())
    deed = {"PUT": "put", "GET": "get", "DELETE": "delete", "HEAD": "head"}.get(
        method, method.lower()
    )
    return f"{deed}-{query['comp']}" if "comp" in query else deed
