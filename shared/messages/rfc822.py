"""A message that the caller composed: checked, addressed by its header, otherwise left alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.address import (
    Address,
    AddressError,
    address_of,
    envelope_recipients,
    parse_address_list,
)
from shared.errors import Fault, ServiceError
from shared.messages.compose import address_field, date_field, has_long_line
from shared.messages.draft import MESSAGE_LIMIT, RECIPIENT_LIMIT, Draft, Sender, in_brackets
from shared.messages.words import decoded

_HEADER_LIMIT = 256 * 1024
_FIELD_LIMIT = 1000
_SUBJECT_LIMIT = 998

_FIRST_LINE = re.compile(rb"([!-9;-~]{1,76}):[\t -~\x80-\xff]*")
_NEXT_LINE = re.compile(rb"[\t ]+[!-~\x80-\xff][\t -~\x80-\xff]*")
_MSG_ID = re.compile(r"<[^<>\s@]{1,400}@[^<>\s@]{1,400}>")

_ONCE = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc", "date", "subject"),
        *("message-id", "in-reply-to", "references"),
        *("mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
    }
)
"""Fields that a header may have once (RFC 5322 section 3.6, RFC 2045 section 3); twice, readers
would disagree about which of them counts."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of the header: its bytes with the final CRLF, its name, its value unfolded."""

    octets: bytes
    name: str
    value: str


def draft_from_rfc822(body: bytes, *, sender: Sender, message_id: str, now: datetime) -> Draft:
    """Check the message *body* (``message/rfc822``) and take its envelope from its header.

    Only Bcc goes; From, Date and Message-ID are added where they are absent, and line ends become
    CRLF. Raises ServiceError ``invalid-message`` with every fault (422), named by field, or
    ``message-too-large`` (413).
    """
    if len(body) > MESSAGE_LIMIT:
        raise ServiceError("message-too-large")
    faults: list[Fault] = []
    header, rest = _parted(_with_crlf(body, faults))
    fields = _fields(header, faults)
    author = address_of(sender.display_name or "", sender.address)
    _check_author(fields, author, faults)
    recipients = {name: _addresses(fields, name, faults) for name in ("To", "Cc", "Bcc")}
    everybody = [address for addresses in recipients.values() for address in addresses]
    _check_count(len(everybody), faults)
    own_id = _message_id(fields, faults)
    if faults:
        raise ServiceError("invalid-message", faults=faults)
    head = b"".join(
        [
            *_missing(fields, author, in_brackets(message_id), now),
            *(field.octets for field in fields if field.name.lower() != "bcc"),
        ]
    )
    if len(head) + 2 + len(rest) > MESSAGE_LIMIT:
        raise ServiceError("message-too-large")
    return Draft(
        content=b"".join([head, b"\r\n", rest]),
        mail_from=author.addr_spec,
        rcpt_to=envelope_recipients(everybody),
        smtputf8=not head.isascii() or any(one.needs_smtputf8 for one in (author, *everybody)),
        message_id=own_id or in_brackets(message_id),
        subject=decoded(_value(fields, "Subject") or "")[:_SUBJECT_LIMIT],
        to=tuple(replace(one, name=decoded(one.name)).shown for one in recipients["To"]),
        send_at=None,
        expires_at=None,
        on_uncertain="hold",
    )


def _with_crlf(body: bytes, faults: list[Fault]) -> bytes:
    """Return the message with CRLF at every line end, its last line included (RFC 5322, 2.3)."""
    line_ends = body.count(b"\r\n")
    if body.count(b"\r") != line_ends:
        faults.append(Fault("", "holds a carriage return that is not part of a line end"))
    if b"\0" in body:
        faults.append(Fault("", "holds a NUL octet"))
    if has_long_line(body):
        faults.append(Fault("", "has a line of more than 998 octets"))
    if body.count(b"\n") != line_ends:
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _parted(content: bytes) -> tuple[bytes, memoryview]:
    """Part the header section from the body; the empty line between them belongs to neither."""
    if content.startswith(b"\r\n"):
        return b"", memoryview(content)[2:]
    end = content.find(b"\r\n\r\n")
    if end < 0:
        return content, memoryview(b"")
    return content[: end + 2], memoryview(content)[end + 4 :]


def _fields(header: bytes, faults: list[Fault]) -> list[_Field]:
    """Cut the header section into fields, each of its lines checked (RFC 5322 section 2.2)."""
    lines = header.split(b"\r\n")[:-1]
    if not lines or len(header) > _HEADER_LIMIT or len(lines) > _FIELD_LIMIT:
        faults.append(Fault("", "has no header" if not lines else "has too large a header"))
        return []
    groups: list[list[bytes]] = []
    for number, line in enumerate(lines, start=1):
        if groups and _NEXT_LINE.fullmatch(line):
            groups[-1].append(line)
        elif _FIRST_LINE.fullmatch(line):
            groups.append([line])
        else:
            faults.append(Fault("", f"line {number} is not a header field"))
    fields = [_field(group, faults) for group in groups]
    _check_names([field.name for field in fields], faults)
    return fields


def _field(lines: Sequence[bytes], faults: list[Fault]) -> _Field:
    name, _, value = b"".join(lines).partition(b":")
    title = name.decode("ascii")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        faults.append(Fault(title, "is neither ASCII nor UTF-8"))
        text = ""
    return _Field(b"\r\n".join([*lines, b""]), title, text.strip(" \t"))


def _check_names(names: Sequence[str], faults: list[Fault]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen & _ONCE:
            faults.append(Fault(name, "is there more than once"))
        if name.lower().startswith("resent-"):
            faults.append(
                Fault(name, "belongs to a message sent on; only To, Cc and Bcc are read")
            )
        seen.add(name.lower())


def _value(fields: Sequence[_Field], name: str) -> str | None:
    return next((field.value for field in fields if field.name.lower() == name.lower()), None)


def _addresses(fields: Sequence[_Field], name: str, faults: list[Fault]) -> list[Address]:
    value = _value(fields, name)
    if not value:
        return []
    try:
        return parse_address_list(value)
    except AddressError as error:
        faults.append(Fault(name, str(error)))
        return []


def _check_author(fields: Sequence[_Field], author: Address, faults: list[Fault]) -> None:
    """Refuse a From or Sender that is not the account's own address."""
    for name in ("From", "Sender"):
        if _value(fields, name) is None:
            continue
        before = len(faults)
        found = _addresses(fields, name, faults)
        if len(faults) > before:
            continue
        if len(found) != 1 or not found[0].is_same_mailbox(author):
            faults.append(Fault(name, f"must be the account's address, {author.addr_spec}"))


def _check_count(count: int, faults: list[Fault]) -> None:
    if count > RECIPIENT_LIMIT:
        faults.append(Fault("To", f"has {count} recipients; the limit is {RECIPIENT_LIMIT}"))
    if not count and not faults:
        faults.append(Fault("To", "is missing; a message needs a recipient in To, Cc or Bcc"))


def _message_id(fields: Sequence[_Field], faults: list[Fault]) -> str | None:
    value = _value(fields, "Message-ID")
    if value is not None and not _MSG_ID.fullmatch(value):
        faults.append(Fault("Message-ID", "is not of the form <local@domain>"))
    return value


def _missing(
    fields: Sequence[_Field], author: Address, message_id: str, now: datetime
) -> Iterator[bytes]:
    """Write the fields that every message needs (RFC 5322 section 3.6) and this one lacks."""
    if _value(fields, "From") is None:
        yield address_field("From", [author])
    if _value(fields, "Date") is None:
        yield date_field(now)
    if _value(fields, "Message-ID") is None:
        yield f"Message-ID: {message_id}\r\n".encode()
