"""The codec: replies, commands and content as octets."""

import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.microsoft import smtp
from shared.microsoft.smtp import (
    CommandError,
    ContentError,
    Envelope,
    Extensions,
    Reply,
    ReplyBuffer,
    ReplyError,
)
from shared.microsoft.xoauth2 import ResponseError, encode_response
from shared.secrecy import Secret

EVERYTHING = Extensions(frozenset({"SIZE", "PIPELINING", "8BITMIME", "SMTPUTF8"}))
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
REPLIES = st.builds(
    Reply,
    code=st.integers(200, 599),
    enhanced=st.none() | st.sampled_from(["2.1.0", "4.3.2", "5.7.139"]),
    text=st.lists(PRINTABLE.filter(lambda text: text[:1] not in "245"), min_size=1).map("\n".join),
)


def encoded(reply: Reply) -> bytes:
    lines = reply.text.split("\n")
    status = f"{reply.enhanced} " if reply.enhanced else ""
    marks = ["-"] * (len(lines) - 1) + [" "]
    pairs = zip(marks, lines, strict=True)
    return "".join(f"{reply.code}{mark}{status}{line}\r\n" for mark, line in pairs).encode()


def parsed(*octets: bytes) -> list[Reply]:
    buffer, replies = ReplyBuffer(), []
    for part in octets:
        buffer.feed(part)
        while (reply := buffer.take()) is not None:
            replies.append(reply)
    return replies


@given(st.lists(REPLIES, max_size=4), st.integers(1, 50))
def test_replies_are_the_same_however_the_octets_are_cut(replies: list[Reply], size: int) -> None:
    octets = b"".join(encoded(reply) for reply in replies)

    assert replies == parsed(*(octets[at : at + size] for at in range(0, len(octets), size)))


@given(st.binary(max_size=300))
def test_no_octets_do_anything_but_parse_wait_or_raise_reply_error(octets: bytes) -> None:
    try:
        replies = parsed(octets)
    except ReplyError:
        return
    assert all(200 <= reply.code < 600 for reply in replies)


def test_exchange_refusal_is_split_into_code_enhanced_code_and_text() -> None:
    line = b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled.\r\n"

    assert parsed(line) == [
        Reply(
            535,
            "5.7.139",
            "Authentication unsuccessful, SmtpClientAuthentication is disabled.",
        )
    ]


def test_a_reply_without_text_is_a_reply() -> None:
    assert parsed(b"250\r\n", b"334 \r\n") == [Reply(250, None, ""), Reply(334, None, "")]


@pytest.mark.parametrize(
    "octets",
    [b"hello\r\n", b"25 0\r\n", b"650 x\r\n", b"250-a\r\n251 b\r\n", b"250 a\rb\r\n", b"\r\n"],
)
def test_what_is_no_reply_raises(octets: bytes) -> None:
    with pytest.raises(ReplyError):
        parsed(octets)


@pytest.mark.parametrize("octets", [b"250 " + b"x" * 70_000, b"250-x\r\n" * 10_000])
def test_a_reply_without_end_is_given_up(octets: bytes) -> None:
    with pytest.raises(ReplyError):
        parsed(octets)


def test_control_characters_of_a_reply_are_not_passed_on() -> None:
    assert parsed(b"550 5.1.1 \x1b[31mno\x00\r\n") == [Reply(550, "5.1.1", "?[31mno?")]


def test_extensions_and_mechanisms_are_read_from_the_second_line_on() -> None:
    reply = Reply(250, None, "PIPELINING.test Hello\nSIZE 157286400\nauth LOGIN XOAUTH2\n8BITMIME")

    offered = Extensions.from_reply(reply)

    assert "SIZE" in offered
    assert "8BITMIME" in offered
    assert "PIPELINING" not in offered
    assert offered.mechanisms == {"LOGIN", "XOAUTH2"}


def test_mail_carries_the_parameters_that_are_needed_and_offered() -> None:
    plain = Envelope("kari@firma.test", ("ola@kunde.test",), 10)
    wide = Envelope("kåre@firma.test", ("ola@kunde.test",), 10, smtputf8=True)
    eight = Envelope("kari@firma.test", ("ola@kunde.test",), 10, eight_bit=True)

    assert smtp.encode_mail(plain, EVERYTHING) == b"MAIL FROM:<kari@firma.test> SIZE=10\r\n"
    assert smtp.encode_mail(plain, Extensions()) == b"MAIL FROM:<kari@firma.test>\r\n"
    assert smtp.encode_mail(eight, EVERYTHING).endswith(b" SIZE=10 BODY=8BITMIME\r\n")
    assert (
        smtp.encode_mail(wide, EVERYTHING)
        == "MAIL FROM:<kåre@firma.test> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n".encode()
    )


def test_an_envelope_around_content_knows_size_and_eight_bit() -> None:
    around = Envelope.around("æ\r\n".encode(), mail_from="a@x.test", rcpt_to=("b@x.test",))

    assert (around.size, around.eight_bit) == (4, True)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ola",
        "@x.test",
        "ola@",
        "a@x.test\r\nRCPT TO:<b@x.test>",
        "a@x.test\n",
        "a@x.test\x00",
        "a@x.test> NOTIFY=NEVER",
        "<a@x.test>",
        "a b@x.test",
        "a@b@x.test",
        '"a\r"@x.test',
        "a@x.test\x85",
        "\ud800@x.test",
        "ø@x.test",
        f"{'a' * 400}@x.test",
    ],
)
def test_what_is_no_mailbox_never_becomes_a_command(address: str) -> None:
    envelope = Envelope(address, (address,), 1)

    with pytest.raises(CommandError) as mail:
        smtp.encode_mail(envelope, EVERYTHING)
    with pytest.raises(CommandError):
        smtp.encode_rcpt(address, envelope)

    assert not address or address not in str(mail.value)


@given(st.text(max_size=80), st.booleans())
def test_a_command_is_always_one_line_with_one_path(address: str, smtputf8: bool) -> None:  # noqa: FBT001
    try:
        octets = smtp.encode_rcpt(address, Envelope("a@x.test", (), 1, smtputf8))
    except CommandError:
        return
    assert octets == f"RCPT TO:<{address}>\r\n".encode()
    assert not any(octet < 32 or octet == 127 for octet in octets[:-2])


@pytest.mark.parametrize(
    "address", ["a@x.test", '"a b"@x.test', "o'neil+x@x.test", "a@[192.0.2.1]", "a@[IPv6:::1]"]
)
def test_unusual_but_right_mailboxes_are_taken(address: str) -> None:
    assert address.encode() in smtp.encode_rcpt(address, Envelope("a@x.test", (), 1))


@pytest.mark.parametrize("name", ["mail.firma.test", "[192.0.2.1]", "[IPv6:2001:db8::1]", "host"])
def test_ehlo_takes_a_domain_or_an_address_literal(name: str) -> None:
    assert smtp.encode_ehlo(name) == f"EHLO {name}\r\n".encode()


@pytest.mark.parametrize(
    "name", ["", "a b", "x\r\n", "[1.2.3]", "192.0.2.1]", "-x", "[x]", "å.no"]
)
def test_ehlo_takes_nothing_else(name: str) -> None:
    with pytest.raises(CommandError):
        smtp.encode_ehlo(name)


def test_an_address_becomes_its_literal() -> None:
    assert smtp.address_literal("10.0.0.4") == "[10.0.0.4]"
    assert smtp.address_literal("fe80::1%eth0") == "[IPv6:fe80::1]"


LINES = st.lists(st.binary(max_size=20).map(lambda x: x.translate(None, b"\r\n")), max_size=30)


@given(LINES, st.sampled_from([1, 7, 65536]))
def test_content_comes_back_whole_when_the_dots_are_taken_off(
    lines: list[bytes], window: int
) -> None:
    lines = [b"." * (len(line) % 3) + line for line in lines]
    content = b"".join(line + b"\r\n" for line in lines)
    before, smtp.WINDOW = smtp.WINDOW, window
    try:
        wire = b"".join(smtp.stuff_dots(content)) + smtp.end_of_content(content)
    finally:
        smtp.WINDOW = before

    *received, end, rest = wire.split(b"\r\n")

    assert (end, rest) == (b".", b"")
    assert b"." not in received
    assert lines == [line.removeprefix(b".") for line in received]


def test_content_without_leading_dots_is_not_copied() -> None:
    content = b"Subject: x\r\n\r\ntext. and more.\r\n" * 10_000

    (piece,) = smtp.stuff_dots(content)

    assert isinstance(piece, memoryview)
    assert piece.obj is content


def test_content_gets_a_line_end_before_its_end_if_it_has_none() -> None:
    assert smtp.end_of_content(b"x\r\n") == b".\r\n"
    assert smtp.end_of_content(b"x") == b"\r\n.\r\n"
    assert smtp.end_of_content(b"") == b".\r\n"


@pytest.mark.parametrize(
    "content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\nb\r\n", b"\r\r\n", b"\n\r"]
)
def test_bare_line_ends_are_refused(content: bytes) -> None:
    with pytest.raises(ContentError):
        smtp.check_line_ends(content)


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b".", "\u00e5".encode()])),
    st.sampled_from([1, 2, 7]),
)
def test_a_bare_line_end_is_found_wherever_it_stands(parts: list[bytes], window: int) -> None:
    """Also where the content is cut into windows."""
    content = b"".join(parts)
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n", content) is not None
    before, smtp.WINDOW = smtp.WINDOW, window
    try:
        smtp.check_line_ends(content)
        found = False
    except ContentError:
        found = True
    finally:
        smtp.WINDOW = before

    assert found == bare


def test_the_xoauth2_response_is_what_exchange_documents() -> None:
    response = encode_response("kari@firma.test", Secret("abc.def-ghi=="))

    assert b64decode(response) == b"user=kari@firma.test\x01auth=Bearer abc.def-ghi==\x01\x01"


@pytest.mark.parametrize(
    ("user", "token"),
    [
        ("", "t"),
        ("a\x01auth=Bearer x", "t"),
        ("a\r\n", "t"),
        ("a\ud800", "t"),
        ("a", ""),
        ("a", "to ken"),
        ("a", "token\x01"),
        ("a", "tøken"),
        ("a", "token\n"),
        ("a", "t" * 9_300),
    ],
)
def test_no_response_is_made_of_what_does_not_fit_and_nothing_is_repeated(
    user: str, token: str
) -> None:
    with pytest.raises(ResponseError) as error:
        encode_response(user, Secret(token))

    assert len(str(error.value)) < 60
    assert error.value.__cause__ is None
