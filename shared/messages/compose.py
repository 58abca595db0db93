"""Composes a message (RFC 5322, MIME) once, straight into the bytes that will be submitted.

The standard library's generator walks every line of every part in Python and keeps several copies
of an attachment; here a part is encoded in blocks into one buffer.
"""

import binascii
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from shared.address import Address
from shared.errors import ServiceError
from shared.messages.draft import MESSAGE_LIMIT
from shared.messages.words import folded, phrase, unstructured_field

_LINE = 76
_BLOCK = _LINE * 4096
_LONG_FIRST_LINE = re.compile(rb"[^\r\n]{999}")
_LONG_LATER_LINE = re.compile(rb"\n[^\r\n]{999}")  # anchored: without, every octet is a start
_NEWLINE = re.compile(r"\r\n?|\n")
_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9 !#$&'()+,.;=@\[\]^_`{}~-]+")
_NEEDS_QUOTING = bytes({*range(32), *range(127, 256)} - set(b"\t\r\n"))
_BOUNDARY_START = "=_"  # occurs neither in base64 nor in quoted-printable (RFC 2045 section 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One file. *encoded* is its content in base64 without line breaks, known to be right."""

    filename: str
    content_type: str
    encoded: bytes | memoryview = field(repr=False)
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a message says, to whom and from whom, before it is written."""

    author: Address
    to: Sequence[Address]
    cc: Sequence[Address]
    reply_to: Sequence[Address]
    subject: str
    text: str | None
    html: str | None
    attachments: Sequence[Attachment]
    headers: Mapping[str, str]


def compose(letter: Letter, *, message_id: str, date: datetime) -> bytes:
    """Write the whole message with CRLF, no line over 998 octets, and no Bcc.

    Raises ServiceError ``message-too-large`` when it would pass 35 MiB (413).
    """
    size = sum(_size_of(one) for one in letter.attachments)
    if size > MESSAGE_LIMIT:
        raise ServiceError("message-too-large")
    buffer = _buffer(size)
    _write_header(buffer, letter, message_id, date)
    _body(letter)(buffer, _Boundaries(message_id))
    buffer.truncate()
    if buffer.getbuffer()[-2:].tobytes() != b"\r\n":
        buffer.write(b"\r\n")
    if buffer.tell() > MESSAGE_LIMIT:
        raise ServiceError("message-too-large")
    return buffer.getvalue()


def _buffer(size: int) -> io.BytesIO:
    """Return a buffer with room for *size* octets at once: growing into it would copy them."""
    buffer = io.BytesIO()
    buffer.seek(size)
    buffer.write(b"\0")
    buffer.seek(0)
    return buffer


def address_field(name: str, addresses: Sequence[Address]) -> bytes:
    """Write a field of addresses (RFC 5322 section 3.6.2)."""
    words: list[str] = []
    for address in addresses:
        if address.name:
            words += [*phrase(address.name), f"<{address.addr_spec}>,"]
        else:
            words.append(f"{address.addr_spec},")
    return folded(name, [*words[:-1], words[-1].removesuffix(",")])


def date_field(date: datetime) -> bytes:
    """Write the origination date (RFC 5322 section 3.6.1)."""
    return f"Date: {format_datetime(date)}\r\n".encode()


def has_long_line(content: bytes) -> bool:
    """Tell whether a line has more than 998 octets before its CRLF (RFC 5322 section 2.1.1)."""
    return bool(_LONG_FIRST_LINE.match(content) or _LONG_LATER_LINE.search(content))


class _Boundaries:
    """Boundaries (RFC 2046 section 5.1.1) made from the Message-ID, which nobody foresees."""

    def __init__(self, message_id: str) -> None:
        self._stem = _BOUNDARY_START + hashlib.sha256(message_id.encode()).hexdigest()[:32]
        self._used = 0

    def take(self) -> str:
        self._used += 1
        return f"{self._stem}_{self._used}"


def _write_header(buffer: io.BytesIO, letter: Letter, message_id: str, date: datetime) -> None:
    buffer.write(address_field("From", [letter.author]))
    for name, addresses in (("To", letter.to), ("Cc", letter.cc), ("Reply-To", letter.reply_to)):
        if addresses:
            buffer.write(address_field(name, addresses))
    if not letter.to and not letter.cc:
        buffer.write(b"To: undisclosed-recipients:;\r\n")
    if letter.subject:
        buffer.write(unstructured_field("Subject", letter.subject))
    buffer.write(date_field(date))
    buffer.write(f"Message-ID: {message_id}\r\n".encode())
    for name, value in letter.headers.items():
        buffer.write(unstructured_field(name, value))
    buffer.write(b"MIME-Version: 1.0\r\n")


type _Writer = Callable[[io.BytesIO, _Boundaries], None]


def _body(letter: Letter) -> _Writer:
    """Nest the parts: mixed (alternative (text, related (html, pictures)), files)."""
    pictures: list[_Writer] = []
    files: list[_Writer] = []
    for one in letter.attachments:
        if _is_shown_in(letter.html, one):
            pictures.append(_file_part(one, "inline"))
        else:
            files.append(_file_part(one, "attachment"))
    parts: list[_Writer] = []
    if letter.text is not None:
        parts.append(_text_part("plain", letter.text))
    if letter.html is not None:
        html = _text_part("html", letter.html)
        parts.append(_multipart('related; type="text/html"', [html, *pictures]))
    return _multipart("mixed", [_multipart("alternative", parts), *files])


def _is_shown_in(html: str | None, attachment: Attachment) -> bool:
    """Tell whether *html* refers to the attachment by a ``cid`` URL (RFC 2392)."""
    if html is None or attachment.content_id is None:
        return False
    names = (attachment.content_id, quote(attachment.content_id), quote(attachment.content_id, ""))
    return any(f"cid:{name}" in html for name in names)


def _multipart(kind: str, parts: Sequence[_Writer]) -> _Writer:
    """Return a writer of the multipart; of the part itself where there is only one."""
    if len(parts) == 1:
        return parts[0]

    def write(buffer: io.BytesIO, boundaries: _Boundaries) -> None:
        boundary = boundaries.take()
        buffer.write(f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n'.encode())
        for part in parts:
            buffer.write(f"\r\n--{boundary}\r\n".encode())
            part(buffer, boundaries)
        buffer.write(f"\r\n--{boundary}--\r\n".encode())

    return write


def _text_part(subtype: str, text: str) -> _Writer:
    def write(buffer: io.BytesIO, _boundaries: _Boundaries) -> None:
        octets = _NEWLINE.sub("\r\n", text).encode("utf-8")
        encoding = _encoding_for(octets)
        buffer.write(
            f"Content-Type: text/{subtype}; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        )
        if encoding == "base64":
            _write_base64(buffer, memoryview(binascii.b2a_base64(octets, newline=False)))
        elif encoding == "quoted-printable":
            # An end in CRLF makes the codec break lines with CRLF; it is then taken off again.
            buffer.write(binascii.b2a_qp(octets + b"\r\n").removesuffix(b"\r\n"))
        else:
            buffer.write(octets)

    return write


def _encoding_for(octets: bytes) -> str:
    """Choose the transfer encoding (RFC 2045 section 6) that is shortest and passes anywhere."""
    special = len(octets) - len(octets.translate(None, _NEEDS_QUOTING))
    if special * 6 > len(octets):
        return "base64"
    if special or b"--" + _BOUNDARY_START.encode() in octets or has_long_line(octets):
        return "quoted-printable"
    return "7bit"


def _file_part(attachment: Attachment, disposition: str) -> _Writer:
    def write(buffer: io.BytesIO, _boundaries: _Boundaries) -> None:
        name, filename = (_parameter(one, attachment.filename) for one in ("name", "filename"))
        lines = [
            f"Content-Type: {attachment.content_type};\r\n {name}",
            f"Content-Disposition: {disposition};\r\n {filename}",
            "Content-Transfer-Encoding: base64",
        ]
        if attachment.content_id is not None:
            lines.append(f"Content-ID: <{attachment.content_id}>")
        buffer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        _write_base64(buffer, memoryview(attachment.encoded))

    return write


def _parameter(name: str, filename: str) -> str:
    """Write a parameter that names a file; beyond plain ASCII by RFC 2231 section 4."""
    if _PLAIN_FILENAME.fullmatch(filename):
        return f'{name}="{filename}"'
    return f"{name}*=UTF-8''{quote(filename, safe='')}"


def _write_base64(buffer: io.BytesIO, encoded: memoryview) -> None:
    """Break *encoded* into lines of 76, block by block so that no second copy ever exists."""
    for start in range(0, len(encoded), _BLOCK):
        block = bytes(encoded[start : start + _BLOCK])
        lines = [block[at : at + _LINE] for at in range(0, len(block), _LINE)]
        buffer.write(b"\r\n".join(lines))
        buffer.write(b"\r\n")


def _size_of(attachment: Attachment) -> int:
    return len(attachment.encoded) * (_LINE + 2) // _LINE
