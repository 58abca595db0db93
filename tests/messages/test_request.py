"""The send request in JSON: what it may say, and every fault of it at once."""

import base64
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ServiceError
from shared.messages.draft import Draft, Sender
from shared.messages.request import draft_from_json

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SENDER = Sender("faktura@firma.no", "Firma AS")


def draft(**members: object) -> Draft:
    request = {"to": ["ola@x.no"], "text": "Hei", **members}
    body = json.dumps(
        {name: value for name, value in request.items() if value is not ...}
    ).encode()
    return draft_from_json(body, sender=SENDER, message_id="m1@firma.no", now=NOW)


def faults(**members: object) -> dict[str, str]:
    with pytest.raises(ServiceError) as caught:
        draft(**members)
    assert caught.value.code == "invalid-message"
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def test_the_envelope_has_every_recipient_once_and_the_header_no_bcc() -> None:
    message = draft(
        to=["Ola <ola@x.no>", {"name": "Kari", "address": "kari@x.no"}],
        cc=["kari@x.no"],
        bcc=["hemmelig@x.no"],
    )

    assert message.mail_from == "faktura@firma.no"
    assert message.rcpt_to == ("ola@x.no", "kari@x.no", "hemmelig@x.no")
    assert message.to == ("Ola <ola@x.no>", "Kari <kari@x.no>")
    assert b"hemmelig" not in message.content
    assert (message.message_id, message.on_uncertain) == ("<m1@firma.no>", "hold")
    assert not message.smtputf8


def test_a_message_may_have_hidden_recipients_only() -> None:
    message = draft(to=..., bcc=["hemmelig@x.no"])

    assert message.rcpt_to == ("hemmelig@x.no",)
    assert b"To: undisclosed-recipients:;\r\n" in message.content


def test_every_fault_is_told_at_once() -> None:
    found = faults(
        to=["x", 5, {"name": 5}, {"address": "a@x.no", "mail": 1}],
        cc="ola@x.no",
        foo=1,
        text=3,
        html=5,
        subject="a\nb",
        attachments=[{}, {"filename": "a\r\n", "content": "a b", "content_type": "x"}, 4],
        headers={"Bcc": "x", "X-A": "a\r\nb", "x-a": "c", "References": "u", "X-B": 1},
        send_at="2029",
        expires_at=4,
        on_uncertain="x",
        **{"a/b~c": 1},
    )

    assert set(found) == {
        *("/foo", "/a~1b~0c", "/text", "/html", "/subject", "/cc"),
        *("/to/0", "/to/1", "/to/2/name", "/to/2/address", "/to/3/mail"),
        *("/attachments/0/filename", "/attachments/0/content", "/attachments/2"),
        *("/attachments/1/filename", "/attachments/1/content", "/attachments/1/content_type"),
        *("/headers/Bcc", "/headers/X-A", "/headers/x-a", "/headers/References", "/headers/X-B"),
        *("/send_at", "/expires_at", "/on_uncertain"),
    }
    assert "not a known member" in found["/foo"]


@pytest.mark.parametrize("value", [5, True, "x", {}, [1]])
@pytest.mark.parametrize(
    "name",
    [
        *("to", "cc", "bcc", "reply_to", "subject", "text", "html", "attachments", "headers"),
        *("send_at", "expires_at", "on_uncertain"),
    ],
)
def test_a_member_of_the_wrong_type_is_named(name: str, value: object) -> None:
    fits: dict[type, set[str]] = defaultdict(
        set, {str: {"subject", "text", "html"}, dict: {"headers"}}
    )
    if name in fits[type(value)]:
        assert draft(**{name: value})
    else:
        assert any(pointer.startswith(f"/{name}") for pointer in faults(**{name: value}))


def test_null_is_as_good_as_absent() -> None:
    nothing = dict.fromkeys(
        ["cc", "bcc", "reply_to", "subject", "html", "attachments", "send_at", "expires_at"]
    )
    file = {"filename": "a", "content": "YQ=="}
    least = draft(to=[{"address": "ola@x.no"}], attachments=[file], headers={"X-A": "a"})

    assert draft(**nothing, headers=None, on_uncertain=None) == draft()
    nulls = draft(
        to=[{"name": None, "address": "ola@x.no"}],
        attachments=[{**file, "content_type": None, "content_id": None}],
        headers={"X-A": "a", "X-B": None, "References": None},
    )
    assert (nulls.rcpt_to, nulls.to) == (least.rcpt_to, least.to)
    assert b"X-B" not in nulls.content
    assert b"References" not in nulls.content


def test_null_is_no_excuse_for_what_is_missing_or_unknown() -> None:
    found = faults(
        to=[None, {"name": "Ola", "address": None}],
        text=None,
        attachments=[{"filename": None, "content": None}],
        headers={"Bcc": None},
        foo=None,
    )

    assert set(found) == {
        *("/to/0", "/to/1/address", "/text", "/headers/Bcc", "/foo"),
        *("/attachments/0/filename", "/attachments/0/content"),
    }
    assert found["/to/1/address"] == found["/attachments/0/content"] == "is missing"
    assert set(faults(to=None)) == {"/to"}


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null"])
def test_a_request_is_an_object(body: bytes) -> None:
    with pytest.raises(ServiceError, match="must be an object"):
        draft_from_json(body, sender=SENDER, message_id="m", now=NOW)


@pytest.mark.parametrize("body", [b"", b"{", b'{"to":["a@x.no"],"to":[]}', b'{"text":NaN}'])
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        draft_from_json(body, sender=SENDER, message_id="m", now=NOW)

    assert caught.value.code == "malformed-json"


def test_a_message_needs_a_recipient_and_a_text() -> None:
    assert set(faults(to=...)) == {"/to"}
    assert set(faults(to=[], cc=[])) == {"/to"}
    assert set(faults(text=...)) == {"/text"}
    assert draft(text=..., html="<p>Hei</p>")
    assert draft(text="")


def test_recipients_are_limited_to_500_in_all() -> None:
    many = [f"a{number}@x.no" for number in range(500)]

    assert len(draft(to=many[:200], cc=many[200:300], bcc=many[300:]).rcpt_to) == 500
    assert set(faults(to=many, bcc=["b@x.no"])) == {"/to"}
    assert "501 items" in faults(to=[*many, "b@x.no"])["/to"]


@pytest.mark.parametrize(
    "injection", ["a\r\nBcc: b@x.no", "a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "a\u2029b"]
)
def test_nothing_can_be_injected_into_the_header(injection: str) -> None:
    pdf = {"content": "JVBERg==", "filename": "a.pdf", "content_type": "application/pdf"}

    assert set(faults(subject=injection)) == {"/subject"}
    assert set(faults(to=[injection])) == {"/to/0"}
    assert set(faults(to=[{"name": injection, "address": "a@x.no"}])) == {"/to/0/name"}
    assert set(faults(reply_to=[f"{injection} <a@x.no>"])) == {"/reply_to/0"}
    assert set(faults(headers={"X-A": injection})) == {"/headers/X-A"}
    assert len(faults(headers={f"X-{injection}": "a"})) == 1
    for name in ("filename", "content_type", "content_id"):
        assert set(faults(attachments=[{**pdf, name: injection}])) == {f"/attachments/0/{name}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Kunde", "Blåbær AS"),
        ("x-mailer", ""),
        ("In-Reply-To", "<a@b.no>"),
        ("References", "<a@b.no> <c@d.no>"),
        ("List-Unsubscribe", "<https://x.no/u?a=1>, <mailto:u@x.no>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Auto-Submitted", "auto-generated"),
        ("Importance", "High"),
    ],
)
def test_a_header_field_may_be_set(name: str, value: str) -> None:
    assert f"\r\n{name}: ".encode() in draft(headers={name: value}).content


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "x") for name in ("From", "Sender", "Subject", "Message-ID", "Received", "X-")),
        *((name, "x") for name in ("DKIM-Signature", "Content-Type", "X-A:B", "X-A B", "X-Å", "")),
        ("References", "<a@b.no"),
        ("List-Unsubscribe", "https://x.no"),
        ("Importance", "very"),
        ("X-A", "x" * 999),
        ("X-" + "A" * 75, "x"),
    ],
)
def test_a_header_field_may_not_be_set(name: str, value: str) -> None:
    assert list(faults(headers={name: value})) == [f"/headers/{name[:64]}"]


def test_the_number_of_header_fields_and_attachments_is_limited() -> None:
    pdf = {"content": "", "filename": "a.pdf"}

    assert "at most 50" in faults(headers={f"X-{n}": "" for n in range(51)})["/headers"]
    assert "at most 100" in faults(attachments=[pdf] * 101)["/attachments"]


@pytest.mark.parametrize(
    "content",
    ["a", "YQ", "YQ=", "YR==", "YQ==\n", "YQ==YQ==", "Y Q=", "-_-_", "YQæ=", "=", "===="],
)
def test_base64_is_strict(content: str) -> None:
    assert set(faults(attachments=[{"filename": "a", "content": content}])) == {
        "/attachments/0/content"
    }


@pytest.mark.parametrize("size", [6000, 6001, 6002])
def test_base64_of_a_large_attachment_is_as_strict(size: int) -> None:
    encoded = base64.b64encode(b"\xff" * size).decode()

    assert draft(attachments=[{"filename": "a", "content": encoded}])
    for wrong in (encoded + "A", encoded[:3000] + "=" + encoded[3001:], encoded[:3000] + "\\"):
        assert faults(attachments=[{"filename": "a", "content": wrong}])


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "image/svg+xml", "Image/PNG"])
def test_the_media_type_of_a_file_is_taken(content_type: str) -> None:
    file = {"filename": "a", "content": "", "content_type": content_type}

    assert f"Content-Type: {content_type};".encode() in draft(attachments=[file]).content


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "pdf",
        "a/b/c",
        "multipart/mixed",
        "message/rfc822",
        "a/b; name=x",
        "a/b;c",
        "å/b",
        "a /b",
    ],
)
def test_what_is_not_the_media_type_of_a_file_is_refused(content_type: str) -> None:
    file = {"filename": "a", "content": "", "content_type": content_type}

    assert set(faults(attachments=[file])) == {"/attachments/0/content_type"}


def test_two_attachments_cannot_share_a_content_id() -> None:
    file = {"filename": "a", "content": "", "content_id": "logo"}

    assert set(faults(attachments=[file, {**file, "content_id": "<logo>"}])) == {
        "/attachments/1/content_id"
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T10:00:00+01:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24t09:00:00.123456789z", datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2026-12-24T08:00:00Z", datetime(2026, 12, 24, 8, tzinfo=UTC)),
        ("2026-11-24T08:00:00Z", None),
        ("2020-01-01T00:00:00Z", None),
    ],
)
def test_a_message_can_be_put_off(text: str, expected: datetime | None) -> None:
    message = draft(send_at=text)

    assert message.send_at == expected


@pytest.mark.parametrize(
    "text",
    [
        *("2026-12-24T08:00:01Z", "2026-11-25", "2026-11-25T09:00:00", "2026-11-25 09:00:00Z"),
        *("2026-13-01T00:00:00Z", "2026-11-25T24:30:00Z", "9999-12-31T23:59:59-14:00"),
        *(
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "",
            "tomorrow",
            "٢٠٢٦-11-25T00:00:00Z",
        ),
    ],
)
def test_a_message_cannot_be_put_off_to_no_time_or_too_far(text: str) -> None:
    assert set(faults(send_at=text)) == {"/send_at"}


def test_a_message_put_off_is_dated_when_it_is_to_leave() -> None:
    message = draft(send_at="2026-11-30T08:00:00Z")

    assert b"Date: Mon, 30 Nov 2026 08:00:00 +0000\r\n" in message.content


def test_a_message_expires_after_it_was_to_be_sent() -> None:
    send_at = "2026-12-10T08:00:00Z"

    assert draft(expires_at="2026-11-24T08:00:01Z").expires_at == NOW + timedelta(seconds=1)
    assert draft(send_at=send_at, expires_at="2027-01-09T08:00:00Z").expires_at is not None
    for expires_at in ("2026-11-24T08:00:00Z", "2026-12-24T08:00:01Z"):
        assert set(faults(expires_at=expires_at)) == {"/expires_at"}
    for expires_at in (send_at, "2027-01-09T08:00:01Z"):
        assert set(faults(send_at=send_at, expires_at=expires_at)) == {"/expires_at"}


def test_a_body_or_message_that_is_too_large_is_refused_as_such() -> None:
    content = base64.b64encode(bytes(27 * 1024 * 1024)).decode()

    with pytest.raises(ServiceError, match="message-too-large"):
        draft_from_json(b" " * 40_000_000, sender=SENDER, message_id="m", now=NOW)
    with pytest.raises(ServiceError, match="message-too-large"):
        draft(attachments=[{"filename": "a", "content": content}])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    | st.sampled_from(["ola@x.no", "Å <å@å.no>", "<a@b.no>", "YQ==", "2026-11-25T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["name", "address", "filename", "content", "content_type", "content_id",
                         "X-A", "References", "to", "x"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ["to", "cc", "bcc", "reply_to"], st.just(["ola@x.no"]) | _JSON | st.lists(_JSON)
        ),
        **dict.fromkeys(["subject", "text", "html"], st.text() | _JSON),
        **dict.fromkeys(
            ["attachments", "headers", "send_at", "expires_at", "on_uncertain"], _JSON
        ),
        "unknown": _JSON,
    },
)


@given(_REQUESTS)
def test_any_request_is_composed_or_refused(request: dict[str, object]) -> None:
    body = json.dumps(request).encode()
    try:
        message = draft_from_json(body, sender=SENDER, message_id="m@x.no", now=NOW)
    except ServiceError as error:
        if error.code == "invalid-message" and error.faults:
            return
        raise

    assert message.content.count(b"\n") == message.content.count(b"\r\n")
    assert max(map(len, message.content.split(b"\r\n"))) <= 998
