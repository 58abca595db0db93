"""SMTP as values: replies parsed, commands encoded, content made ready for the wire; no socket.

RFC 5321 for the protocol, 2034 and 3463 for enhanced status codes, 1870 (SIZE), 6152 (8BITMIME),
6531 (SMTPUTF8), 2920 (PIPELINING).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import IncrementalNewlineDecoder
from ipaddress import ip_address
from typing import Self

LONGEST_REPLY = 64 * 1024
"""Octets a reply may have; RFC 5321 section 4.5.3.1.5 allows 512 a line, Exchange sends more."""

FAMILIAR = 128
"""Octets up to which a reply is likely to come again word for word."""

WINDOW = 64 * 1024
"""Octets of content looked at, and copied at most, at a time."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\n")
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_ATOM = r'[^\x00-\x20\x7f-\xa0\ud800-\udfff"<>@,:;()\\\[\]]+'
_QUOTED = r'"(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff"\\]|\\[\x20-\x7e])*"'
_MAILBOX = re.compile(rf"(?=.{{3,320}}\Z)(?:{_ATOM}|{_QUOTED})@(?:{_ATOM}|\[[0-9A-Za-z.:-]+\])")
_DOMAIN = re.compile(r"(?=.{1,255}\Z)[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z-]+)*")


class ReplyError(Exception):
    """What the server sent is not a reply of RFC 5321, or not one that can follow here."""


class CommandError(ValueError):
    """A value that must not become part of a command; the message never repeats the value."""


class ContentError(ValueError):
    """Content that cannot be handed over as it is: a bare CR or LF in it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: *code*, *enhanced* status code if there is one, and *text*.

    The lines of *text* are joined by a line feed and come without code and enhanced status code.
    """

    code: int
    enhanced: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients of one message (RFC 5321 section 2.3.1).

    *size* is the content's length in octets; *smtputf8* says that addresses or header fields need
    RFC 6531; *eight_bit* that the content has octets above 127 (RFC 6152).
    """

    mail_from: str
    rcpt_to: tuple[str, ...]
    size: int
    smtputf8: bool = False
    eight_bit: bool = False

    @classmethod
    def around(
        cls, content: bytes, *, mail_from: str, rcpt_to: tuple[str, ...], smtputf8: bool = False
    ) -> Self:
        """Make the envelope for *content*, with size and eight_bit read from it."""
        return cls(mail_from, rcpt_to, len(content), smtputf8, not content.isascii())


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the server's answer to EHLO offers (RFC 5321 section 4.1.1.1)."""

    keywords: frozenset[str] = frozenset()
    mechanisms: frozenset[str] = frozenset()

    @classmethod
    def from_reply(cls, reply: Reply) -> Self:
        """Read the keywords from the second line on, AUTH's parameters apart (RFC 4954).

        ``AUTH=`` is how some servers, from before the standard, still write ``AUTH``.
        """
        said = reply.text.upper().replace("AUTH=", "AUTH ")
        lines = [line.split() for line in said.split("\n")[1:]]
        return cls(
            frozenset(words[0] for words in lines if words),
            frozenset(name for words in lines if words[:1] == ["AUTH"] for name in words[1:]),
        )

    def __contains__(self, keyword: str) -> bool:
        """Tell whether the extension with that *keyword* is offered."""
        return keyword in self.keywords


class ReplyBuffer:
    """Octets as they come in, replies as they are complete; what it holds is bounded."""

    __slots__ = ("_octets", "_passed")

    def __init__(self) -> None:
        self._octets = b""
        self._passed = 0  # octets of lines that are complete and not the reply's last

    @property
    def is_empty(self) -> bool:
        """Whether every octet has become part of a reply."""
        return not self._octets

    def feed(self, octets: bytes) -> None:
        """Add *octets* from the wire."""
        self._octets = self._octets + octets if self._octets else octets

    def take(self) -> Reply | None:
        """Return the next complete reply, or None when more octets are needed.

        Raises ReplyError when what is there is not, and cannot become, a reply.
        """
        octets, end = self._octets, self._octets.find(b"\n", self._passed) + 1
        while end and octets.startswith(b"-", octets.rfind(b"\n", 0, end - 1) + 4):
            self._passed = end
            end = octets.find(b"\n", end) + 1
        if end > LONGEST_REPLY or (not end and len(octets) > LONGEST_REPLY):
            raise ReplyError("a reply without end")
        if not end:
            return None
        self._octets, self._passed = octets[end:], 0
        return parse_familiar(octets[:end]) if end <= FAMILIAR else parse_reply(octets[:end])


def parse_reply(octets: bytes) -> Reply:
    """Return the one reply that *octets* hold, all lines of it. Raises ReplyError."""
    code, texts = b"", []
    for line in octets.splitlines(keepends=True):
        match = _LINE.fullmatch(line)
        if match is None or (code and match[1] != code):
            raise ReplyError("not an SMTP reply")
        code = match[1]
        texts.append(_UNPRINTABLE.sub("?", (match[3] or b"").decode(errors="replace")))
    status = _ENHANCED.match(texts[0])
    if status is None:
        return Reply(int(code), None, "\n".join(texts))
    start = len(status[1]) + 1
    lines = [text[start:] if text.startswith(status[1]) else text for text in texts]
    return Reply(int(code), status[1], "\n".join(lines))


parse_familiar = lru_cache(maxsize=64)(parse_reply)
"""The same for short replies: most are the same few over and over."""


def encode_ehlo(own_name: str) -> bytes:
    """Encode EHLO; *own_name* is a domain or an address literal. Raises CommandError."""
    if not (_DOMAIN.fullmatch(own_name) or own_name == address_literal(own_name[1:-1])):
        raise CommandError("not a domain name or address literal")
    return b"EHLO %b\r\n" % own_name.encode("ascii")


def address_literal(address: str) -> str | None:
    """Return the literal of an IP *address* (RFC 5321 section 4.1.3), None if it is none."""
    try:
        parsed = ip_address(address.removeprefix("IPv6:").partition("%")[0])
    except ValueError:
        return None
    return f"[{parsed}]" if parsed.version == 4 else f"[IPv6:{parsed}]"


def encode_mail(envelope: Envelope, offered: Extensions) -> bytes:
    """Encode MAIL with the parameters that *envelope* needs and the server offers.

    Raises CommandError for an address that is none, or that needs SMTPUTF8 and does not say so.
    """
    parameters = ""
    if "SIZE" in offered:
        parameters += f" SIZE={envelope.size}"
    if (envelope.eight_bit or envelope.smtputf8) and "8BITMIME" in offered:
        parameters += " BODY=8BITMIME"
    if envelope.smtputf8:
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{_mailbox(envelope.mail_from, envelope)}>{parameters}\r\n".encode()


def encode_rcpt(address: str, envelope: Envelope) -> bytes:
    """Encode RCPT for one recipient of *envelope*; raises CommandError as ``encode_mail`` does."""
    return f"RCPT TO:<{_mailbox(address, envelope)}>\r\n".encode()


def _mailbox(address: str, envelope: Envelope) -> str:
    if _MAILBOX.fullmatch(address) is None:
        raise CommandError("not a mailbox of RFC 5321 section 4.1.2")
    if not envelope.smtputf8 and not address.isascii():
        raise CommandError("the address needs SMTPUTF8")
    return address


def end_of_content(content: bytes) -> bytes:
    """Return what ends *content* on the wire (RFC 5321 section 4.1.1.4)."""
    return b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n"


def check_line_ends(content: bytes) -> None:
    """Raise ContentError unless every CR and LF in *content* is part of a CRLF.

    What one server takes for a line end and another does not lets one message hide in another.
    The decoder notes every kind of line end it meets, at a fourth of what counting them costs.
    """
    kinds = IncrementalNewlineDecoder(None, translate=False)
    for start in range(0, len(content), WINDOW):
        kinds.decode(content[start : start + WINDOW].decode("latin-1"))
    kinds.decode("", final=True)
    if kinds.newlines not in (None, "\r\n"):
        raise ContentError("a bare CR or LF in the content")


def stuff_dots(content: bytes) -> Iterator[bytes | memoryview]:
    """Yield *content* in order with each line's leading dot doubled (RFC 5321 section 4.5.2).

    Where there is none, which is nearly everywhere, what is yielded are views and not copies.
    """
    view = memoryview(content)
    after_dots = content.rfind(b".") + 1  # in a message with an attachment that is early
    if not content.startswith(b".") and content.find(b"\n.", 0, after_dots) < 0:
        yield view
        return
    for start in range(0, len(content), WINDOW):
        end = start + WINDOW
        first_of_line = start == 0 or content[start - 1 : start] == b"\n"
        if first_of_line and content[start : start + 1] == b".":
            yield b"."
        if content.find(b"\n.", start, end) < 0:
            yield view[start:end]
        else:
            yield content[start:end].replace(b"\n.", b"\n..")
