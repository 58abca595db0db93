"""Strict JSON (RFC 8259 as narrowed by RFC 7493): one meaning or none, within bounded memory.

Python's parser takes duplicate members, NaN and UTF-16, recurses, and spends up to 64 bytes on a
byte of input. Here a document is measured before it is parsed, and long runs of base64 (an
attachment) can stay where they are, as views of the body.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from shared.errors import Fault, ServiceError

_DEPTH_LIMIT = 16
_TOKEN_LIMIT = 20_000
_LONG = 4096

# The closing quote is optional so that an unfinished string is passed once, not once per quote.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_BASE64_LIKE = re.compile(rb"(?:[A-Za-z0-9+/=]++|\\/|\\u00(?:2[bB]|2[fF]|3[dD]))++")
_ESCAPES = tuple(
    (b"\\" + escape, character)
    for character, escapes in (
        (b"/", (b"/", b"u002F", b"u002f")),
        (b"+", (b"u002B", b"u002b")),
        (b"=", (b"u003D", b"u003d")),
    )
    for escape in escapes
)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class LongText:
    r"""A long string of the document that looks like base64, still inside the body.

    *view* is the literal between its quotes; the escapes ``\/``, ``\u002B``, ``\u002F`` and
    ``\u003D``, which common serialisers write, are still in it.
    """

    view: memoryview

    def characters(self) -> bytes | memoryview:
        """Return the characters, without a copy when there is no escape to resolve."""
        if re.search(rb"\\", self.view) is None:
            return self.view
        characters = bytes(self.view)
        for escape, character in _ESCAPES:
            characters = characters.replace(escape, character)
        return characters

    def __str__(self) -> str:
        """Return the string that the document describes."""
        return bytes(self.characters()).decode("ascii")


def parse(body: bytes, *, views: bool = False) -> object:
    """Return the value that *body* (UTF-8) describes.

    With *views*, strings of 4096 characters and more that look like base64 come as ``LongText``.
    Raises ServiceError ``malformed-json``: not JSON, not UTF-8, a member twice in one object, NaN
    or Infinity, a lone surrogate, more than 16 levels or 20,000 values.
    """
    long_strings = _measure(body)
    spans = long_strings if views else []
    text, marked = _without(body, spans)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}" + ("" if spans else f", column {error.colno}")
        _refuse(f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]} ({where})")
    except ValueError:
        _refuse("holds a number that is too long")
    if _SURROGATE_ESCAPE.search(text):
        _refuse_lone_surrogates(value)
    return _restored(value, marked) if marked else value


def _refuse(detail: str) -> NoReturn:
    raise ServiceError("malformed-json", faults=[Fault("", detail)]) from None


def _measure(body: bytes) -> list[tuple[int, int]]:
    """Count values and levels before anything is built; return where long base64 runs lie."""
    spans = []
    depth = 0
    for count, match in enumerate(_TOKEN.finditer(body)):
        start, end = match.span()
        first = body[start]
        depth += 1 if first in b"[{" else -1 if first in b"]}" else 0
        if depth > _DEPTH_LIMIT:
            _refuse(f"is nested more than {_DEPTH_LIMIT} levels deep")
        if count >= _TOKEN_LIMIT:
            _refuse(f"holds more than {_TOKEN_LIMIT} values")
        if end - start > _LONG and _BASE64_LIKE.fullmatch(body, start + 1, end - 1):
            spans.append((start + 1, end - 1))
    return spans


def _without(body: bytes, spans: list[tuple[int, int]]) -> tuple[str, dict[str, LongText]]:
    """Return the document with a mark in place of each span, and what each mark stands for.

    The mark is made of a hash of all the rest, so no document can hold it by itself.
    """
    view = memoryview(body)
    edges = [0, *(edge for span in spans for edge in span), len(body)]
    pieces = [bytes(view[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    mark = hashlib.sha256(b'"'.join(pieces)).hexdigest() if spans else ""
    marks = [f"{mark}-{number}" for number in range(len(spans))]
    pieces[1:] = [one.encode() + rest for one, rest in zip(marks, pieces[1:], strict=True)]
    try:
        text = b"".join(pieces).decode("utf-8")
    except UnicodeDecodeError:
        _refuse("is not UTF-8")
    if text.startswith("\ufeff"):
        _refuse("begins with a byte order mark")
    return text, {one: LongText(view[a:b]) for one, (a, b) in zip(marks, spans, strict=True)}


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f"has the member {json.dumps(twice[:64])} more than once")
    return members


def _refuse_constant(name: str) -> NoReturn:
    _refuse(f"holds {name}, which is not JSON")


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        _refuse("holds half of a surrogate pair")


def _restored(value: object, marked: Mapping[str, LongText]) -> object:
    """Put the long strings back in place of their marks."""
    if isinstance(value, str):
        return marked.get(value, value)
    if isinstance(value, list):
        return [_restored(item, marked) for item in value]
    if isinstance(value, dict):
        return {str(marked.get(k, k)): _restored(item, marked) for k, item in value.items()}
    return value
