"""The content of a message as Exchange judges it: line ends, line length, 8-bit, From."""

import re
from dataclasses import dataclass
from email.utils import getaddresses
from functools import lru_cache

LINE_LIMIT = 998  # octets without CRLF, RFC 5321 section 4.5.3.1.6
FOLD = re.compile(r"\r\n(?=[ \t])")
FIELD = re.compile(r"(?im)^(from|sender|message-id)[ \t]*:(.*)$")


@dataclass(frozen=True, slots=True)
class Headers:
    """The few fields that matter here."""

    authors: tuple[str, ...]
    sender: str
    message_id: str


def is_stuffed(raw: bytes) -> bool:
    """Whether every leading dot was doubled, as RFC 5321 section 4.5.2 wants it."""
    if raw.startswith(b".") and not raw.startswith(b".."):
        return False
    return raw.count(b"\r\n.") == raw.count(b"\r\n..")


def unstuffed(raw: bytes) -> bytes:
    """*raw* without the dots that transparency put in (RFC 5321 section 4.5.2)."""
    if raw.startswith(b"."):
        raw = raw[1:]
    return raw.replace(b"\r\n.", b"\r\n") if b"\r\n." in raw else raw


def fault(content: bytes, *, smtputf8: bool, eight_bit: bool) -> tuple[int, str, str] | None:
    """Code, enhanced code and words when the bytes are not fit for SMTP, else None."""
    lines = content.count(b"\r\n")
    if content.count(b"\n") != lines or content.count(b"\r") != lines or b"\0" in content:
        return 550, "5.6.11", "Invalid characters"
    if max(map(len, content.split(b"\r\n"))) > LINE_LIMIT:
        return 554, "5.6.0", "Line length exceeds 998 octets"
    if content.isascii():
        return None
    head = content.partition(b"\r\n\r\n")[0]
    if not head.isascii() and not smtputf8:
        return 554, "5.6.9", "UTF-8 header message cannot be transferred without SMTPUTF8"
    if not eight_bit:
        return 554, "5.6.3", "Conversion required but not supported: 8-bit content as 7BIT"
    return None


def headers(content: bytes) -> Headers:
    """Read the fields; a field that comes twice counts with all its addresses."""
    head = content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    for name, value in FIELD.findall(FOLD.sub("", head).replace("\r\n", "\n")):
        found.setdefault(name.lower(), []).append(value.strip())
    senders = _addresses(", ".join(found.get("sender", [])))
    return Headers(
        authors=_addresses(", ".join(found.get("from", []))),
        sender=senders[0] if senders else "",
        message_id=found.get("message-id", [""])[0],
    )


@lru_cache(maxsize=1_000)
def _addresses(text: str) -> tuple[str, ...]:
    return tuple(address for _, address in getaddresses([text]) if address)
