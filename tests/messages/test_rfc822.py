"""A message that the caller composed: taken as it is, or refused with every fault named."""

import time
import tracemalloc
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ServiceError
from shared.messages.draft import MESSAGE_LIMIT, Draft, Sender
from shared.messages.rfc822 import draft_from_rfc822

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SENDER = Sender("faktura@firma.no", "Firma AS")
WHOLE = (
    b"Received: from a by b; Mon, 23 Nov 2026 08:00:00 +0000\r\n"
    b"From: Firma <Faktura@firma.no>\r\n"
    b"to:  Ola <ola@x.no>,\r\n\t=?utf-8?Q?=C3=85se?= (x) <ase@x.no>\r\n"
    b"Cc: Kunder: kari@x.no, ola@x.no;\r\n"
    b"Bcc: hemmelig@x.no,\r\n skjult@x.no\r\n"
    b"Subject: =?utf-8?Q?Bl=C3=A5?=\r\n =?utf-8?Q?b=C3=A6r?=\r\n"
    b"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n"
    b"Message-ID: <own@firma.no>\r\n"
    b"X-Odd  Space: no\r\n".replace(b"  Space", b"")
    + b"\r\n"
    b"Hei \xe6\xf8\xe5\r\n.\r\nBcc: not a field\r\n"
)


def draft(body: bytes) -> Draft:
    return draft_from_rfc822(body, sender=SENDER, message_id="m1@firma.no", now=NOW)


def faults(body: bytes) -> dict[str, str]:
    with pytest.raises(ServiceError) as caught:
        draft(body)
    assert caught.value.code == "invalid-message"
    found: defaultdict[str, str] = defaultdict(str)
    for fault in caught.value.faults:
        found[fault.pointer] += fault.detail + ". "
    return found


def test_only_bcc_is_taken_off_and_every_other_octet_stays() -> None:
    message = draft(WHOLE)

    assert message.content == WHOLE.replace(b"Bcc: hemmelig@x.no,\r\n skjult@x.no\r\n", b"")
    assert message.rcpt_to == ("ola@x.no", "ase@x.no", "kari@x.no", "hemmelig@x.no", "skjult@x.no")
    assert message.to == ("Ola <ola@x.no>", "Åse <ase@x.no>")
    assert message.subject == "Blåbær"
    assert message.message_id == "<own@firma.no>"
    assert message.mail_from == "faktura@firma.no"
    assert not message.smtputf8
    assert (message.send_at, message.expires_at, message.on_uncertain) == (None, None, "hold")


def test_what_every_message_needs_is_added_where_it_is_absent() -> None:
    message = draft(b"To: ola@x.no\r\n\r\nHei\r\n")

    assert message.content == (
        b"From: Firma AS <faktura@firma.no>\r\n"
        b"Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
        b"Message-ID: <m1@firma.no>\r\n"
        b"To: ola@x.no\r\n\r\nHei\r\n"
    )
    assert message.message_id == "<m1@firma.no>"


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b"To: ola@x.no\n\nHei\n\nHei", b"\r\n\r\nHei\r\n\r\nHei\r\n"),
        (b"To: ola@x.no\r\n\nHei\r\n", b"\r\n\r\nHei\r\n"),
        (b"To: ola@x.no", b"\r\n\r\n"),
        (b"To: ola@x.no\n", b"\r\n\r\n"),
        (b"To: ola@x.no\r\n\r\n", b"\r\n\r\n"),
    ],
)
def test_line_ends_become_crlf(body: bytes, rest: bytes) -> None:
    assert draft(body).content.endswith(b"To: ola@x.no" + rest)


def test_a_header_beyond_ascii_needs_smtputf8() -> None:
    message = draft("To: Kåre <kåre@blåbær.no>\r\nSubject: Blåbær\r\n\r\n".encode())

    assert message.smtputf8
    assert message.rcpt_to == ("kåre@xn--blbr-roah.no",)
    assert message.subject == "Blåbær"


def test_hidden_recipients_are_enough() -> None:
    message = draft(b"To: undisclosed-recipients:;\nBcc: ola@x.no\n\nHei\n")

    assert message.rcpt_to == ("ola@x.no",)
    assert b"ola@x.no" not in message.content


@pytest.mark.parametrize(
    ("body", "pointer", "why"),
    [
        (b"", "", "has no header"),
        (b"\r\n\r\nHei", "", "has no header"),
        (b"Hei\r\n\r\n", "", "line 1 is not"),
        (b"From ola Mon Nov\r\nTo: a@x.no\r\n\r\n", "", "line 1 is not"),
        (b" To: a@x.no\r\n\r\n", "", "line 1 is not"),
        (b"To : a@x.no\r\n\r\n", "", "line 1 is not"),
        (b"To: a@x.no\r\n \r\nX-A: b\r\n\r\n", "", "line 2 is not"),
        (b"To: a@x.no\r\nX-\xc3\xa5: b\r\n\r\n", "", "line 2 is not"),
        (b"To: a@x.no\r\nX-A: b\x0bc\r\n\r\n", "", "line 2 is not"),
        (b"To: a@x.no\r\nX-A: b\rBcc: c\r\n\r\n", "", "carriage return"),
        (b"To: a@x.no\r\n\r\nHei\rHei", "", "carriage return"),
        (b"To: a@x.no\r\n\r\nHei\0", "", "NUL"),
        (b"To: a@x.no\r\n\r\n" + b"x" * 999, "", "998"),
        (b"To: a@x.no\r\nX-A: " + b"x" * 999 + b"\r\n\r\n", "", "998"),
        (b"X-A: b\r\n" * 1001 + b"\r\n", "", "too large"),
        (b"To: a@x.no\r\nX-A: \xe6\r\n\r\n", "X-A", "UTF-8"),
        (b"To: a@x.no\r\nto: b@x.no\r\n\r\n", "to", "more than once"),
        (b"To: a@x.no\r\nBCC: b@x.no\r\nbcc: c@x.no\r\n\r\n", "bcc", "more than once"),
        (b"To: a@x.no\r\nResent-To: b@x.no\r\n\r\n", "Resent-To", "sent on"),
        (b"To: a@x.no b\r\n\r\n", "To", "form"),
        (b"To: A: a@x.no\r\n\r\n", "To", "group"),
        (b"To:\r\n\r\n", "To", "is missing"),
        (b"Subject: x\r\n\r\n", "To", "is missing"),
        (b"To: " + b",\r\n ".join(b"a%d@x.no" % n for n in range(501)) + b"\r\n\r\n", "To", "501"),
        (b"To: a@x.no\r\nFrom: b@x.no\r\n\r\n", "From", "faktura@firma.no"),
        (b"To: a@x.no\r\nFrom:\r\n\r\n", "From", "faktura@firma.no"),
        (b"To: a@x.no\r\nFrom: faktura@firma.no, b@x.no\r\n\r\n", "From", "faktura@firma.no"),
        (b"To: a@x.no\r\nFrom: <<\r\n\r\n", "From", "does not end"),
        (b"To: a@x.no\r\nSender: b@x.no\r\n\r\n", "Sender", "faktura@firma.no"),
        (b"To: a@x.no\r\nMessage-ID: abc\r\n\r\n", "Message-ID", "<local@domain>"),
        (b"To: a@x.no\r\nMessage-ID:\r\n\r\n", "Message-ID", "<local@domain>"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_reason(
    body: bytes, pointer: str, why: str
) -> None:
    assert why in faults(body)[pointer]


def test_every_fault_is_told_at_once() -> None:
    body = b"From: b@x.no\nTo: x\nCc: y\nMessage-ID: z\nResent-Bcc: a@x.no\n\n\0"

    assert set(faults(body)) == {"", "From", "To", "Cc", "Message-ID", "Resent-Bcc"}


def test_a_message_that_is_too_large_is_refused_as_such() -> None:
    header = b"To: ola@x.no\n\n"

    for body in (header + b"x\n" * (MESSAGE_LIMIT // 2), header + b"\n" * (MESSAGE_LIMIT - 20)):
        with pytest.raises(ServiceError, match="message-too-large"):
            draft(body)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_large_message_takes_less_than_four_times_its_size(end: bytes) -> None:
    body = b"To: ola@x.no" + end + end + (b"x" * 76 + end) * (25_000_000 // 78)
    tracemalloc.start()

    message = draft(body)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + len(body) < 4 * len(message.content)


def test_a_hostile_header_takes_no_time() -> None:
    start = time.perf_counter()
    for hostile in (b"(" * 900, b'"\\' * 450, b"a," * 450, b":" * 900, b"=?utf-8?q?" * 90):
        faults(b"To: " + b"\r\n ".join([hostile] * 250) + b"\r\n\r\n")
    assert time.perf_counter() - start < 3


_LINES = st.lists(
    st.binary(max_size=20)
    | st.sampled_from(
        [
            *(b"To: ola@x.no", b"Bcc: b@x.no", b"From: faktura@firma.no", b"From: a@x.no", b""),
            *(b"Subject: =?utf-8?b?/w==?=", b"Subject: =?x?q?=0D=0A?=", b" folded", b"\t"),
            *(b"To: =?utf-8?q?a?= <a@x.no>", b"Cc: g: a@x.no;", b"Message-ID: <a@b>", b"X: y"),
        ]
    ),
    max_size=12,
)


@given(lines=_LINES, end=st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_any_octets_are_a_message_or_are_refused(lines: list[bytes], end: bytes) -> None:
    try:
        message = draft(end.join(lines))
    except ServiceError as error:
        if error.code == "invalid-message" and error.faults:
            return
        raise

    header = message.content.partition(b"\r\n\r\n")[0].lower()
    assert b"bcc:" not in header.split(b"\r\n")
    assert message.content.count(b"\n") == message.content.count(b"\r\n")
    assert message.subject.isprintable()
    assert message.rcpt_to
