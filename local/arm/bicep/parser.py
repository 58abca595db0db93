"""Parses the plain, flat part of Bicep (github.com/Azure/bicep, docs/grammar.md).

Left out on purpose, and refused: nested resources, lambdas, imports, user-defined types and
functions, multi-line strings, spread. What the parser does not know is an error, never a guess.
"""

import re
from collections.abc import Callable
from pathlib import Path

from local.arm.bicep.syntax import (
    Array,
    Call,
    Declaration,
    Decorator,
    File,
    Index,
    Interpolation,
    Literal,
    Loop,
    Member,
    Name,
    Node,
    Object,
    Operation,
    Property,
)

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER = re.compile(r"\d+")
BLANK = re.compile(r"[ \t\r]+|//[^\n]*|/\*.*?\*/|#disable-next-line[^\n]*", re.DOTALL)
ESCAPES = {"\\": "\\", "'": "'", "n": "\n", "r": "\r", "t": "\t", "$": "$"}
PRECEDENCE = (
    ("??",),
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~"),
    ("<=", ">=", "<", ">"),
    ("+", "-"),
)
TYPES = {"string", "int", "bool", "array", "object"}


class BicepError(Exception):
    """The file is not what this parser reads; the message says where."""


class Parser:
    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.at = 0
        self.line = 1

    # characters and words ------------------------------------------------------------------

    def fail(self, what: str) -> BicepError:
        rest = self.text[self.at : self.at + 30].split("\n")[0]
        return BicepError(f"{self.path}:{self.line}: {what}, found '{rest}'")

    def advance(self, count: int) -> str:
        taken = self.text[self.at : self.at + count]
        self.line += taken.count("\n")
        self.at += count
        return taken

    def skip(self, *, lines: bool = False) -> None:
        while True:
            if found := BLANK.match(self.text, self.at):
                self.advance(found.end() - self.at)
            elif lines and self.text.startswith("\n", self.at):
                self.advance(1)
            else:
                return

    def peek(self, sign: str) -> bool:
        self.skip()
        return self.text.startswith(sign, self.at)

    def take(self, sign: str) -> bool:
        if not self.peek(sign):
            return False
        self.advance(len(sign))
        return True

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.fail(f"expected '{sign}'")

    def word(self, expected: str | None = None) -> str:
        self.skip()
        found = IDENTIFIER.match(self.text, self.at)
        if not found or (expected is not None and found[0] != expected):
            raise self.fail(f"expected {expected or 'a name'}")
        return self.advance(len(found[0]))

    def next_word(self) -> str:
        self.skip()
        found = IDENTIFIER.match(self.text, self.at)
        return found[0] if found else ""

    def end_line(self) -> None:
        self.skip()
        if self.at < len(self.text) and not self.text.startswith("\n", self.at):
            raise self.fail("expected the end of the line")

    # statements ----------------------------------------------------------------------------

    def file(self) -> File:
        declarations = []
        self.skip(lines=True)
        while self.at < len(self.text):
            declarations.append(self.declaration())
            self.end_line()
            self.skip(lines=True)
        return File(self.path, tuple(declarations))

    def declaration(self) -> Declaration:
        decorators = []
        while self.peek("@"):
            decorators.append(self.decorator())
            self.skip(lines=True)
        line, kind = self.line, self.word()
        readers: dict[str, Callable[[], Declaration]] = {
            "targetScope": self.target_scope,
            "extension": self.extension,
            "metadata": lambda: self.assignment("metadata"),
            "param": self.parameter,
            "var": lambda: self.assignment("var"),
            "resource": lambda: self.resource("resource"),
            "module": lambda: self.resource("module"),
            "output": self.output,
        }
        if kind not in readers:
            raise self.fail(f"'{kind}' begins no statement known here")
        made = readers[kind]()
        values = {
            field: getattr(made, field)
            for field in ("kind", "name", "type", "value", "condition", "loop", "existing")
        }
        return Declaration(**values, decorators=tuple(decorators), line=line)

    def decorator(self) -> Decorator:
        line = self.line
        self.expect("@")
        name = self.word()
        self.expect("(")
        return Decorator(name, self.arguments(), line=line)

    def target_scope(self) -> Declaration:
        self.expect("=")
        return Declaration(kind="targetScope", name="targetScope", value=self.expression())

    def extension(self) -> Declaration:
        return Declaration(kind="extension", name=self.word())

    def assignment(self, kind: str) -> Declaration:
        name = self.word()
        self.expect("=")
        return Declaration(kind=kind, name=name, value=self.expression())

    def type_name(self) -> str:
        name = self.word()
        if name not in TYPES:
            raise self.fail(f"'{name}' is no type known here")
        return name

    def parameter(self) -> Declaration:
        name, kind = self.word(), self.type_name()
        value = self.expression() if self.take("=") else None
        return Declaration(kind="param", name=name, type=kind, value=value)

    def output(self) -> Declaration:
        name, kind = self.word(), self.type_name()
        self.expect("=")
        return Declaration(kind="output", name=name, type=kind, value=self.expression())

    def resource(self, kind: str) -> Declaration:
        name, what = self.word(), self.string()
        if not isinstance(what, Literal) or not isinstance(what.value, str):
            raise self.fail("a type or path is a plain string")
        existing = self.next_word() == "existing" and bool(self.word())
        self.expect("=")
        condition = None
        if self.next_word() == "if":
            self.word()
            condition = self.parenthesis()
        body = self.expression()
        loop = body if isinstance(body, Loop) else None
        value = loop.body if loop else body
        if not isinstance(value, Object):
            raise self.fail("expected an object")
        return Declaration(
            kind=kind,
            name=name,
            type=what.value,
            value=value,
            condition=condition,
            loop=loop,
            existing=existing,
        )

    # expressions ---------------------------------------------------------------------------

    def expression(self) -> Node:
        line = self.line
        condition = self.binary(0)
        if not self.take("?"):
            return condition
        first = self.expression()
        self.expect(":")
        return Operation("?", (condition, first, self.expression()), line=line)

    def binary(self, level: int) -> Node:
        if level == len(PRECEDENCE):
            return self.unary()
        left = self.binary(level + 1)
        while sign := next((one for one in PRECEDENCE[level] if self.peek(one)), None):
            self.expect(sign)
            left = Operation(sign, (left, self.binary(level + 1)), line=self.line)
        return left

    def unary(self) -> Node:
        line = self.line
        for sign in ("!", "-"):
            if self.take(sign):
                return Operation(sign, (self.unary(),), line=line)
        return self.member()

    def member(self) -> Node:
        node = self.primary()
        while True:
            line = self.line
            if self.peek(".") and not self.peek(".."):
                self.expect(".")
                node = Member(node, self.word(), line=line)
            elif self.text.startswith("[", self.at):
                self.expect("[")
                node = Index(node, self.expression(), line=line)
                self.expect("]")
            else:
                return node

    def primary(self) -> Node:
        self.skip()
        enclosed: dict[str, Callable[[], Node]] = {
            "'": self.string,
            "{": self.object,
            "[": self.array,
            "(": self.parenthesis,
        }
        if read := enclosed.get(self.text[self.at : self.at + 1]):
            return read()
        line = self.line
        if found := NUMBER.match(self.text, self.at):
            return Literal(int(self.advance(len(found[0]))), line=line)
        name = self.word()
        if name in {"true", "false", "null"}:
            return Literal({"true": True, "false": False, "null": None}[name], line=line)
        if self.text.startswith("(", self.at):
            self.expect("(")
            return Call(name, self.arguments(), line=line)
        return Name(name, line=line)

    def parenthesis(self) -> Node:
        self.expect("(")
        inner = self.expression()
        self.expect(")")
        return inner

    def arguments(self) -> tuple[Node, ...]:
        found: list[Node] = []
        self.skip(lines=True)
        while not self.take(")"):
            found.append(self.expression())
            self.skip(lines=True)
            if not self.peek(")"):
                self.expect(",")
                self.skip(lines=True)
        return tuple(found)

    def string(self) -> Node:
        line = self.line
        self.expect("'")
        if self.text.startswith("''", self.at):
            raise self.fail("multi-line strings are not read here")
        pieces: list[Node] = []
        plain = ""
        while not self.text.startswith("'", self.at):
            if self.at >= len(self.text) or self.text[self.at] == "\n":
                raise self.fail("the string has no end")
            if self.text.startswith("${", self.at):
                self.advance(2)
                pieces += [Literal(plain, line=line), self.expression()]
                plain = ""
                self.expect("}")
            elif self.text[self.at] == "\\":
                plain += ESCAPES[self.advance(2)[1]]
            else:
                plain += self.advance(1)
        self.advance(1)
        if not pieces:
            return Literal(plain, line=line)
        kept = [one for one in [*pieces, Literal(plain)] if one != Literal("", line=one.line)]
        return Interpolation(tuple(kept), line=line)

    def object(self) -> Object:
        line, properties = self.line, []
        self.expect("{")
        self.skip(lines=True)
        while not self.take("}"):
            properties.append(self.property())
            if not self.take(",") and not self.peek("}"):
                self.end_line()
            self.skip(lines=True)
        return Object(tuple(properties), line=line)

    def property(self) -> Property:
        line = self.line
        key = self.string() if self.peek("'") else Literal(self.word(), line=line)
        self.expect(":")
        return Property(key, self.expression(), line=line)

    def array(self) -> Array | Loop:
        line, items = self.line, []
        self.expect("[")
        if self.next_word() == "for":
            return self.loop(line)
        self.skip(lines=True)
        while not self.take("]"):
            items.append(self.expression())
            if not self.take(",") and not self.peek("]"):
                self.end_line()
            self.skip(lines=True)
        return Array(tuple(items), line=line)

    def loop(self, line: int) -> Loop:
        self.word("for")
        index = None
        if self.take("("):
            item = self.word()
            self.expect(",")
            index = self.word()
            self.expect(")")
        else:
            item = self.word()
        self.word("in")
        source = self.expression()
        self.expect(":")
        body = self.expression()
        self.expect("]")
        return Loop(item, index, source, body, line=line)


def parse(path: Path, *, shown: str | None = None) -> File:
    """Read one file; raises BicepError with the line where it stops being plain, flat Bicep."""
    return Parser(path.read_text(encoding="utf-8"), shown or str(path)).file()
