"""Strict JSON: one meaning or a refusal, in bounded memory."""

import base64
import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ServiceError
from shared.strict_json import LongText, parse


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "expecting value"),
        (b"{", "line 1, column 2"),
        (b"[1,]", "trailing comma"),
        (b"{'a': 1}", "expecting property name"),
        (b"nul", "expecting value"),
        (b"{} {}", "extra data"),
        (b'{"a": 1, "a": 2}', 'the member "a" more than once'),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[" + b"9" * 5000 + b"]", "number"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'"\n"', "control character"),
        (b'"\xff"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[" * 17 + b"]" * 17, "16 levels"),
        (b"[" * 1_000_000, "16 levels"),
        (b"[" + b"1," * 30_000 + b"1]", "20000 values"),
        (b'"' + b'",' * 5_000_000, "20000 values"),
        (b'"' + b"A" * 5000, "unterminated"),
        (b'{"a":"' + b"A" * 5000 + b'" 1}', "line 1"),
        (b'{"a":"' + b"A" * 5000 + b'","a":1}', "more than once"),
    ],
)
@pytest.mark.parametrize("views", [False, True])
def test_a_document_with_no_one_meaning_is_malformed(
    body: bytes, why: str, *, views: bool
) -> None:
    with pytest.raises(ServiceError, match=why) as caught:
        parse(body, views=views)

    assert caught.value.code == "malformed-json"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(["A" * 4097, "+/" * 3000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, LongText):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


@given(value=_VALUES, ascii_=st.booleans(), views=st.booleans())
def test_what_another_writer_wrote_is_read_as_it_was(
    value: object, *, ascii_: bool, views: bool
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_).encode()

    assert _plain(parse(body, views=views)) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(ServiceError):
        parse(body, views=True)


@pytest.mark.parametrize(
    ("plus", "slash", "equals"),
    [(b"+", b"/", b"="), (b"\\u002B", b"\\/", b"\\u003D"), (b"\\u002b", b"\\u002F", b"=")],
)
def test_base64_is_read_as_any_common_serialiser_writes_it(
    plus: bytes, slash: bytes, equals: bytes
) -> None:
    content = b"\xfb\xef\xff" * 3000 + b"x"
    encoded = base64.b64encode(content)
    written = encoded.replace(b"+", plus).replace(b"/", slash).replace(b"=", equals)

    value = parse(b'{"content": "' + written + b'"}', views=True)

    assert isinstance(value, dict)
    assert isinstance(value["content"], LongText)
    assert base64.b64decode(value["content"].characters()) == content
    assert str(value["content"]) == encoded.decode()


def test_a_long_name_of_a_member_is_a_name() -> None:
    assert parse(b'{"' + b"A" * 5000 + b'": 1}', views=True) == {"A" * 5000: 1}


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 4_000_000 + b"[]]",
        b'"' + b'\\"' * 6_000_000,
        b'"' + b"\\u00e6" * 2_000_000 + b'"',
        b"\\" * 12_000_000,
        b" " * 12_000_000,
        b'{"a": "' + b"A" * 12_000_000 + b'"}',
    ],
    ids=["lists", "unfinished", "escapes", "backslashes", "blanks", "base64"],
)
def test_a_bomb_costs_no_more_than_twice_its_size(body: bytes) -> None:
    tracemalloc.start()
    with contextlib.suppress(ServiceError):
        parse(body, views=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2.1 * len(body)
