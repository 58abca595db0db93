"""Evaluates ARM template expressions: ``[format('st{0}', parameters('name'))]``."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+)|([A-Za-z_][A-Za-z0-9_]*)|([()\[\].,]))")
GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


class TemplateError(Exception):
    """The template is wrong; the message says what, as Resource Manager would."""


type Function = Callable[..., Any]


def _format(pattern: str, *values: object) -> str:
    return pattern.format(*(_text(one) for one in values))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else str(value)


PURE: dict[str, Function] = {
    "format": _format,
    "join": lambda values, between: between.join(values),
    "length": len,
    "empty": lambda value: not value,
    "string": str,
    "equals": lambda one, other: one == other,
    "not": lambda value: not value,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "createArray": lambda *values: list(values),
    "guid": lambda *values: str(uuid.uuid5(GUIDS, "-".join(values))),
    "true": lambda: True,
    "false": lambda: False,
    "null": lambda: None,
}


class Evaluation:
    """Evaluates values of one template; *functions* depend on where it is deployed."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = {**PURE, **functions}

    def value(self, given: Any) -> Any:  # noqa: ANN401 - JSON
        """Evaluate every expression in *given*, property copies included."""
        if isinstance(given, list):
            return [self.value(one) for one in given]
        if isinstance(given, dict):
            made = {
                str(self.value(key)): self.value(one)
                for key, one in given.items()
                if key != "copy"
            }
            return made | self.copies(given.get("copy"))
        if not isinstance(given, str) or not given.startswith("["):
            return given
        return given[1:] if given.startswith("[[") else self.expression(given[1:-1])

    def copies(self, given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        made: dict[str, Any] = {}
        for copy in given if isinstance(given, list) else []:
            name = copy["name"]
            made[name] = [
                self.at(name, number, copy["input"]) for number in range(self.value(copy["count"]))
            ]
        return made

    def at(self, name: str | None, number: int, given: Any) -> Any:  # noqa: ANN401 - JSON
        """Evaluate *given* as turn *number* of the loop *name* (None: the resource's own)."""
        outer = self.functions.get("copyIndex")

        def index(*of: str) -> int:
            if of == ((name,) if name else ()):
                return number
            if outer is None:
                raise TemplateError(f"copyIndex({', '.join(of)}) stands outside its loop")
            found: int = outer(*of)
            return found

        return Evaluation({**self.functions, "copyIndex": index}).value(given)

    def expression(self, text: str) -> Any:  # noqa: ANN401 - JSON
        reader = _Reader(text)
        value = self.operand(reader)
        if reader.kind != "end":
            raise TemplateError(f"the expression '{text}' goes on after its end")
        return value

    def operand(self, reader: "_Reader") -> Any:  # noqa: ANN401 - JSON
        kind, word = reader.take()
        if kind == "string":
            value: Any = word[1:-1].replace("''", "'")
        elif kind == "number":
            value = int(word)
        elif kind == "name":
            value = self.call(word, reader)
        else:
            raise TemplateError(f"the expression '{reader.text}' does not parse at '{word}'")
        return self.path(value, reader)

    def call(self, name: str, reader: "_Reader") -> Any:  # noqa: ANN401 - JSON
        reader.expect("(")
        if name == "if":
            return self.choose(reader)
        arguments = []
        while not reader.skip(")"):
            arguments.append(self.operand(reader))
            reader.skip(",")
        if name not in self.functions:
            raise TemplateError(f"the function '{name}' is not known here")
        return self.functions[name](*arguments)

    def choose(self, reader: "_Reader") -> Any:  # noqa: ANN401 - JSON
        """Evaluate only the branch that is taken, as Resource Manager does."""
        condition = self.operand(reader)
        reader.expect(",")
        first = self.branch(reader, taken=condition)
        reader.expect(",")
        second = self.branch(reader, taken=not condition)
        reader.expect(")")
        return first if condition else second

    def branch(self, reader: "_Reader", *, taken: bool) -> Any:  # noqa: ANN401 - JSON
        if taken:
            return self.operand(reader)
        depth = 0
        while depth or reader.word not in {",", ")"}:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(reader.take()[1], 0)
        return None

    def path(self, value: Any, reader: "_Reader") -> Any:  # noqa: ANN401 - JSON
        while reader.word in {".", "["} and reader.kind == "sign":
            if reader.skip("."):
                value = _member(value, reader.take()[1], reader.text)
            else:
                reader.expect("[")
                key = self.operand(reader)
                reader.expect("]")
                value = value[key] if isinstance(key, int) else _member(value, key, reader.text)
        return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kind = self.word = ""
        self.take()

    def take(self) -> tuple[str, str]:
        """Return the word in hand and read the next."""
        held = self.kind, self.word
        found = TOKEN.match(self.text, self.at)
        if not found:
            if self.text[self.at :].strip():
                raise TemplateError(f"the expression '{self.text}' does not parse")
            self.kind, self.word = "end", ""
            return held
        self.at = found.end()
        kinds = ("string", "number", "name", "sign")
        self.kind, self.word = next(
            (kind, word)
            for kind, word in zip(kinds, found.groups(), strict=True)
            if word is not None
        )
        return held

    def skip(self, sign: str) -> bool:
        if self.kind == "sign" and self.word == sign:
            self.take()
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.skip(sign):
            raise TemplateError(f"the expression '{self.text}' lacks '{sign}'")


def _member(value: Any, name: str, where: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, dict) or name not in value:
        raise TemplateError(f"the language expression property '{name}' doesn't exist: {where}")
    return value[name]
