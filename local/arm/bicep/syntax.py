"""What a Bicep file says, as a tree: statements, expressions and the line each began on."""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    line: int = 0


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class Interpolation(Node):
    """A string with expressions in it; plain pieces are literals."""

    pieces: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    target: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    target: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation(Node):
    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Property(Node):
    key: Node
    value: Node


@dataclass(frozen=True, slots=True)
class Object(Node):
    properties: tuple[Property, ...]

    def get(self, key: str) -> Node | None:
        """Return the value of *key*, or None."""
        for one in self.properties:
            if isinstance(one.key, Literal) and one.key.value == key:
                return one.value
        return None


@dataclass(frozen=True, slots=True)
class Array(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``[for item in source: body]``, with an index when one is named."""

    item: str
    index: str | None
    source: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Decorator(Node):
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration(Node):
    """One statement; *kind* is its keyword."""

    kind: str
    name: str
    decorators: tuple[Decorator, ...] = ()
    type: str = ""
    value: Node | None = None
    condition: Node | None = None
    loop: Loop | None = None
    existing: bool = False

    def decorator(self, name: str) -> Decorator | None:
        return next((one for one in self.decorators if one.name == name), None)


@dataclass(frozen=True, slots=True)
class File:
    path: str
    declarations: tuple[Declaration, ...]

    def of(self, *kinds: str) -> tuple[Declaration, ...]:
        return tuple(one for one in self.declarations if one.kind in kinds)

    def named(self, name: str) -> Declaration | None:
        declared = self.of("param", "var", "resource", "module")
        return next((one for one in declared if one.name == name), None)


def walk(node: object) -> Iterator[Node]:
    """Yield *node* and everything below it."""
    if isinstance(node, tuple):
        for one in node:
            yield from walk(one)
    elif isinstance(node, Node):
        yield node
        for field in fields(node):
            yield from walk(getattr(node, field.name))
