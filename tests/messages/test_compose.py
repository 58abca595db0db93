"""The composed message, read again by a reader that this project did not write."""

import base64
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.draft import Draft, Sender
from shared.messages.request import draft_from_json

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def draft(*, name: str | None = "Firma AS", **members: object) -> Draft:
    request = {"to": ["ola@x.no"], "text": "Hei", **members}
    body = json.dumps({key: value for key, value in request.items() if value is not ...}).encode()
    sender = Sender("faktura@firma.no", name)
    return draft_from_json(body, sender=sender, message_id="m1@firma.no", now=NOW)


def read(message: Draft) -> EmailMessage:
    """Parse the message, and hold it to what every message must be."""
    content = message.content
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.isascii()
    parsed = message_from_bytes(content, policy=SMTP)
    assert isinstance(parsed, EmailMessage)
    for part in parsed.walk():
        assert part.defects == []
        assert [value.defects for value in part.values() if value.defects] == []
    return parsed


def structure(part: MIMEPart) -> object:
    if part.is_multipart():
        return {part.get_content_subtype(): [structure(one) for one in part.iter_parts()]}
    return part.get_content_type()


def test_the_header_says_who_to_whom_what_and_when() -> None:
    parsed = read(
        draft(
            name="Ødegård & Sønn AS",
            to=["Åse Ærlig <ase@x.no>", '"Nordmann, Ola" <ola@x.no>'],
            cc=["Kari <kari@blåbær.no>"],
            reply_to=["svar@firma.no"],
            subject="Faktura æøå 1234",
            headers={"X-Kunde": "Blåbær", "References": "<a@b.no> <c@d.no>"},
        )
    )

    assert parsed["From"] == "Ødegård & Sønn AS <faktura@firma.no>"
    assert parsed["To"] == 'Åse Ærlig <ase@x.no>, "Nordmann, Ola" <ola@x.no>'
    assert parsed["Cc"] == "Kari <kari@xn--blbr-roah.no>"
    assert parsed["Reply-To"] == "svar@firma.no"
    assert parsed["Subject"] == "Faktura æøå 1234"
    assert parsed["Message-ID"] == "<m1@firma.no>"
    assert parsed["Date"].datetime == NOW
    assert parsed["X-Kunde"] == "Blåbær"
    assert parsed["References"] == "<a@b.no> <c@d.no>"
    assert parsed["MIME-Version"] == "1.0"


def test_without_a_name_or_a_subject_there_is_none() -> None:
    parsed = read(draft(name=None))

    assert parsed["From"] == "faktura@firma.no"
    assert parsed["Subject"] is None


def test_an_address_beyond_ascii_is_written_as_it_is() -> None:
    message = draft(to=["Kåre <kåre@blåbær.no>"])

    assert message.smtputf8
    assert message.rcpt_to == ("kåre@xn--blbr-roah.no",)
    assert "To: =?utf-8?Q?K=C3=A5re?= <kåre@xn--blbr-roah.no>\r\n".encode() in message.content


def test_the_parts_are_nested_as_readers_expect() -> None:
    pdf = {"filename": "a.pdf", "content": "JVBERg==", "content_type": "application/pdf"}
    png = {
        "filename": "l.png",
        "content": PNG,
        "content_type": "image/png",
        "content_id": "logo@1",
    }
    html = '<img src="cid:logo@1">'

    assert structure(read(draft())) == "text/plain"
    assert structure(read(draft(text=..., html=html))) == "text/html"
    assert structure(read(draft(html=html))) == {"alternative": ["text/plain", "text/html"]}
    assert structure(read(draft(attachments=[pdf]))) == {
        "mixed": ["text/plain", "application/pdf"]
    }
    assert structure(read(draft(text=..., html=html, attachments=[png]))) == {
        "related": ["text/html", "image/png"]
    }
    assert structure(read(draft(html=html, attachments=[png, pdf]))) == {
        "mixed": [
            {"alternative": ["text/plain", {"related": ["text/html", "image/png"]}]},
            "application/pdf",
        ]
    }


def test_a_picture_is_shown_in_the_text_only_where_the_text_refers_to_it() -> None:
    png = {"filename": "l.png", "content": PNG, "content_type": "image/png", "content_id": "a@b"}

    shown = read(draft(html='<img src="cid:a%40b">', attachments=[png]))
    not_shown = read(draft(html="<p>", attachments=[png]))

    assert structure(shown) == {
        "alternative": ["text/plain", {"related": ["text/html", "image/png"]}]
    }
    assert structure(not_shown) == {
        "mixed": [{"alternative": ["text/plain", "text/html"]}, "image/png"]
    }
    for parsed, disposition in ((shown, "inline"), (not_shown, "attachment")):
        (part,) = [one for one in parsed.walk() if one.get_content_type() == "image/png"]
        assert part["Content-ID"] == "<a@b>"
        assert part.get_content_disposition() == disposition


@pytest.mark.parametrize(
    "filename",
    [
        *("faktura.pdf", "blåbær æøå ÆØÅ.pdf", "a b.pdf", 'a"b.pdf', "a\\b.pdf", "100%.pdf"),
        *(
            "請求書.pdf",
            "😀.pdf",
            "a'b;c=d.pdf",
            "=?utf-8?q?a?=.pdf",
            "å" * 127,
            "(1).pdf",
            "a*b.pdf",
        ),
    ],
)
def test_a_file_keeps_its_name_and_every_octet(filename: str) -> None:
    content = bytes(range(256)) * 3
    file = {
        "filename": filename,
        "content_type": "application/pdf",
        "content": base64.b64encode(content).decode(),
    }

    (part,) = read(draft(attachments=[file])).iter_attachments()

    assert part.get_filename() == filename
    assert part["Content-Type"].params["name"] == filename
    assert part.get_content() == content


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 76 * 3072, 76 * 3072 + 1, 500_000])
def test_a_file_of_any_size_arrives_whole(size: int) -> None:
    content = os.urandom(size)
    file = {"filename": "a.bin", "content": base64.b64encode(content).decode()}

    (part,) = read(draft(attachments=[file])).iter_attachments()

    assert part.get_content() == content
    assert max(map(len, bytes(part).split(b"\r\n"))) <= 76


def _shown(text: str) -> str:
    """Text as mail has it: any line end is a line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


_LINES = st.lists(
    st.text()
    | st.sampled_from(
        [
            "",
            ".",
            "..",
            "From a",
            "-- ",
            "a \t",
            "æøå",
            "=20",
            "--=_",
            "x" * 998,
            "x" * 999,
            "é" * 600,
        ]
    ),
    max_size=6,
).map("\r\n".join)


@given(text=_LINES, html=_LINES)
def test_text_arrives_as_it_was_written(text: str, html: str) -> None:
    parsed = read(draft(text=text, html=html))

    for part, expected in zip(parsed.iter_parts(), (text, html), strict=True):
        octets = part.get_payload(decode=True)
        assert isinstance(octets, bytes)
        assert octets.decode() == _shown(expected).replace("\n", "\r\n")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300))
def test_a_subject_arrives_as_it_was_written(subject: str) -> None:
    message = draft(subject=subject)

    assert (read(message)["Subject"] or "") == subject
    assert message.subject == subject
    assert max(map(len, message.content.split(b"\r\n"))) <= 76


@pytest.mark.parametrize(
    "subject",
    ["x" * 998, "word " * 190 + "end", "a  b", " a ", "=?utf-8?q?x?=", "a =?b", "😀" * 400],
)
def test_a_subject_of_any_shape_arrives(subject: str) -> None:
    assert read(draft(subject=subject))["Subject"] == subject


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120))
def test_a_name_arrives_as_it_was_written(name: str) -> None:
    parsed = read(draft(to=[{"name": name, "address": "ola@x.no"}]))

    # This reader is careless about white space in a name of several encoded-words.
    assert "".join(parsed["To"].addresses[0].display_name.split()) == "".join(name.split())
    assert parsed["To"].addresses[0].addr_spec == "ola@x.no"


def test_many_recipients_are_folded() -> None:
    parsed = read(draft(to=[f"Ola Æ {n} <a{n}@x.no>" for n in range(500)]))

    assert len(parsed["To"].addresses) == 500


def test_text_is_encoded_only_where_it_must_be() -> None:
    encodings = {
        "Hei\n": "7bit",
        "Hei på deg, dette er en faktura\n": "quoted-printable",
        "x" * 999: "quoted-printable",
        "Привет": "base64",
    }

    assert {
        text: read(draft(text=text))["Content-Transfer-Encoding"] for text in encodings
    } == encodings


def test_the_standard_library_writes_the_same_message_again() -> None:
    content = draft(html="<p>Blåbær</p>", subject="Blåbær").content

    again = message_from_bytes(content, policy=SMTP).as_bytes()

    assert message_from_bytes(again, policy=SMTP)["Subject"] == "Blåbær"


def test_an_invoice_of_10_kb_is_composed_in_a_millisecond() -> None:
    pdf = {"filename": "f.pdf", "content": base64.b64encode(os.urandom(7000)).decode()}
    body = json.dumps({"to": ["ola@x.no"], "text": "Hei på deg", "attachments": [pdf]}).encode()
    times = []
    for _ in range(50):
        start = time.perf_counter()
        draft_from_json(body, sender=Sender("a@x.no", None), message_id="m", now=NOW)
        times.append(time.perf_counter() - start)

    assert min(times) < 0.001


_MEASURE = """
import base64, json, os, resource, sys
from datetime import UTC, datetime
from shared.messages.draft import Sender
from shared.messages.request import draft_from_json
body = '{"to":["ola@x.no"],"text":"Hei \\U0001f600",'.encode()
body += b'"attachments":[{"filename":"a","content":"'
body += base64.b64encode(os.urandom(25_000_000)).replace(b"+", sys.argv[1].encode()) + b'"}]}'
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
before = status("VmRSS") - len(body)
draft = draft_from_json(body, sender=Sender("a@x.no", None), message_id="m", now=datetime.now(UTC))
print((status("VmHWM") - before) / len(draft.content))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(("plus", "limit"), [("+", 2.6), ("\\u002B", 3.9)])
def test_25_mb_take_less_than_four_times_the_message(plus: str, limit: float) -> None:
    """Resident memory at its peak, the request's body included."""
    result = subprocess.run(
        [sys.executable, "-c", _MEASURE, plus],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert float(result.stdout) < limit
