"""What the document says of a request is what the service takes: the same cases, judged twice."""

import json
from datetime import UTC, datetime

import jsonschema_rs
import pytest

from shared.errors import ServiceError
from shared.messages.draft import Sender
from shared.messages.request import draft_from_json
from shared.openapi.document import document

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
FOUND = document("https://mail.example")
OPTIONAL = (
    *("cc", "bcc", "reply_to", "subject", "html", "attachments", "headers"),
    *("send_at", "expires_at", "on_uncertain"),
)
FILE: dict[str, object] = {"filename": "a.pdf", "content": "JVBERg=="}
LEAST: dict[str, object] = {"to": ["ola@x.no"], "text": "Hei"}
WRONG_FILES: list[dict[str, object]] = [
    {"filename": " "},
    {"filename": "a\r\nb"},
    {"content_type": "pdf"},
    {"content_type": "Message/rfc822"},
    {"content_type": "a/b; name=c"},
    {"content": "YQ"},
    {"content": "YR=="},
    {"content": "YQ==\n"},
    {"content": 1},
    {"content": None},
    {"filename": None},
    {"content_id": "a b"},
    {"content_id": ""},
    {"x": 1},
]


def valid(name: str, value: object) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": FOUND["components"]}
    return bool(jsonschema_rs.Draft202012Validator(schema).is_valid(value))


def taken(request: object) -> bool:
    body = json.dumps(request).encode()
    try:
        draft_from_json(body, sender=Sender("a@x.no", None), message_id="m@x.no", now=NOW)
    except ServiceError:
        return False
    return True


@pytest.mark.parametrize(
    "request_",
    [
        LEAST,
        {"bcc": [{"name": "Ødegård, Ola", "address": "ola@blåbær.no"}], "html": ""},
        {
            **LEAST,
            "to": ["Åse Ærlig <ase@x.no>", '"Nordmann, Ola" <ola@x.no>', "<o.h'a+b@a.b.no>"],
        },
        {**LEAST, "cc": ["kåre@x.no"], "reply_to": ["Ola N. (Oslo) <ola@x-y.no>"]},
        {**LEAST, "subject": "Faktura æøå 😀", "on_uncertain": "resend", "attachments": []},
        {**LEAST, "headers": {"X-Kunde": "Blåbær", "x-a": "", "References": "<a@b.no> <c@d.no>"}},
        {**LEAST, "headers": {"List-Unsubscribe": "<https://x.no/u>, <mailto:u@x.no>"}},
        {**LEAST, "attachments": [FILE, {**FILE, "content_type": "text/csv; charset=utf-8"}]},
        {**LEAST, "attachments": [{**FILE, "content": "", "content_id": "<a@b>"}]},
        {**LEAST, **dict.fromkeys(OPTIONAL)},
        {**LEAST, "to": [{"name": None, "address": "ola@x.no"}], "headers": {"X-A": None}},
        {"cc": ["ola@x.no"], "html": "Hei", "to": None, "text": None},
        {**LEAST, "headers": {"Importance": None, "List-Unsubscribe-Post": None}},
        {**LEAST, "attachments": [{**FILE, "content_type": None, "content_id": None}]},
        {**LEAST, "send_at": "2026-12-01T08:00:00Z", "expires_at": "2026-12-02T08:00:00+01:00"},
    ],
)
def test_a_request_that_is_taken_is_valid(request_: dict[str, object]) -> None:
    assert valid("SendRequest", request_)
    assert taken(request_)


@pytest.mark.parametrize(
    "change",
    [
        {"to": None},
        {"to": "ola@x.no"},
        {"to": []},
        {"text": None},
        {"colour": "blue"},
        {"colour": None},
        {"to": [{"address": None}]},
        {"headers": {"Bcc": None}},
        *(
            {"to": [address]}
            for address in [
                *("", "ola", "@x.no", "ola@", "ola@x", "o..la@x.no", ".ola@x.no", "ola@x..no"),
                *("a@x.no, b@x.no", "a@x.no; b@x.no", "g: a@x.no;", "Nordmann, Ola <a@x.no>"),
                *(
                    "ola@x.no\n",
                    "ola\r\nBcc: b@x.no",
                    "a@x.no <b@x.no>",
                    "ola@1.2.3.4",
                    "a b@x.no",
                ),
                *(5, None, {}, {"name": "Ola"}, {"address": "ola"}, {"address": "a@x.no", "x": 1}),
                {"name": "a\nb", "address": "ola@x.no"},
            ]
        ),
        {"cc": ["a@x.no"] * 501},
        {"subject": "a\r\nb"},
        {"subject": "x" * 999},
        {"html": 5},
        {"attachments": [{}]},
        {"attachments": [FILE] * 101},
        *({"attachments": [{**FILE, **change}]} for change in WRONG_FILES),
        *(
            {"headers": headers}
            for headers in [
                *({"Bcc": "x"}, {"From": "x"}, {"X-": "x"}, {"X-A:": "x"}, {"X-A": "a\nb"}, []),
                *({"X-A": 1}, {"References": "a"}, {"Importance": "very"}, {"X-A": "x" * 999}),
                {f"X-{number}": "" for number in range(51)},
            ]
        ),
        {"on_uncertain": "maybe"},
        {"send_at": 5},
    ],
)
def test_a_request_that_is_refused_is_not_valid(change: dict[str, object]) -> None:
    assert not taken({**LEAST, **change})
    assert not valid("SendRequest", {**LEAST, **change})


def test_a_request_without_recipient_or_text_is_not_valid() -> None:
    for request_ in ({"to": ["ola@x.no"]}, {"text": "Hei"}):
        assert not valid("SendRequest", request_)
        assert not taken(request_)


def test_every_example_is_what_it_shows() -> None:
    for name, schema in FOUND["components"]["schemas"].items():
        for example in schema.get("examples", []):
            assert valid(name, example), name


def test_the_page_shows_every_call_parameter_and_value() -> None:
    from shared.openapi.reading import reference

    page = reference(public_url="https://mail.example", product="Quick3")
    text = page.body.decode()

    assert page.status == 200
    assert all(f'id="schema-{name}"' in text for name in FOUND["components"]["schemas"])
    assert all(path in text for path in FOUND["paths"])
    assert all(one["name"] in text for one in FOUND["components"]["parameters"].values())
    assert "<script src" in text
    assert "<script>" not in text
