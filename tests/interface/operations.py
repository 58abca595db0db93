"""The operations of the OpenAPI document, so that a new one cannot be forgotten by a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.openapi.document import document

METHODS = ("get", "post", "patch", "delete", "put")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; *body* names the schema of its JSON body, if it has one."""

    method: str
    path: str
    body: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> Iterator[Operation]:
    """Every operation that the document describes."""
    for path, item in document("https://mail.example")["paths"].items():
        for method in METHODS:
            if found := item.get(method):
                yield Operation(method.upper(), path, _body(found))


def _body(operation: dict[str, Any]) -> str | None:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None
