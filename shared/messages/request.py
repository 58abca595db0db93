"""The send request in JSON: every fault of it found at once, then one finished draft."""

import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from shared import strict_json
from shared.address import (
    Address,
    AddressError,
    address_of,
    envelope_recipients,
    parse_address,
)
from shared.errors import Fault, ServiceError
from shared.members import Members
from shared.messages.compose import Attachment, Letter, compose
from shared.messages.draft import (
    RECIPIENT_LIMIT,
    SCHEDULE_LIMIT,
    Draft,
    Sender,
    in_brackets,
)
from shared.strict_json import LongText

BODY_LIMIT = 38 * 1024 * 1024
"""Bytes that a JSON body may have: a message of 35 MiB with the usual escapes in its base64."""

_ATTACHMENT_LIMIT = 100
_HEADER_LIMIT = 50
_TEXT_LIMIT = 998

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+={0,2}")
_RESTRICTED_NAME = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"  # RFC 6838 section 4.2
_MEDIA_TYPE = re.compile(
    rf"(?!multipart/|message/){_RESTRICTED_NAME}/{_RESTRICTED_NAME}"
    r'(?:; ?(?!name=|boundary=)[a-z0-9-]{1,40}=(?:[a-z0-9._+-]{1,100}|"[a-z0-9 ._+-]{1,100}"))*',
    re.IGNORECASE,
)
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_EXTENSION_FIELD = re.compile(r"X-[!-9;-~]{1,74}", re.IGNORECASE)
_MSG_IDS = r"<[^<>\s@]+@[^<>\s@]+>(?: <[^<>\s@]+@[^<>\s@]+>)*"
_STANDARD_FIELDS = {
    "in-reply-to": re.compile(_MSG_IDS),
    "references": re.compile(_MSG_IDS),
    "list-unsubscribe": re.compile(r"<[!-;=?-~]+>(?:, ?<[!-;=?-~]+>)*"),
    "list-unsubscribe-post": re.compile("List-Unsubscribe=One-Click"),
    "auto-submitted": re.compile("no|auto-generated|auto-replied"),
    "importance": re.compile("high|normal|low", re.IGNORECASE),
}
"""Fields beside ``X-…`` that may be set: threads (RFC 5322), one-click unsubscription (RFC 8058),
automatic mail (RFC 3834) and importance (RFC 2156); no other rule of ours depends on them."""

_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_RECIPIENTS = ("to", "cc", "bcc")
_MEMBERS = (
    *(*_RECIPIENTS, "reply_to", "subject", "text", "html", "attachments", "headers"),
    *("send_at", "expires_at", "on_uncertain"),
)


def draft_from_json(body: bytes, *, sender: Sender, message_id: str, now: datetime) -> Draft:
    """Check the send request *body* and compose its message.

    A ``send_at`` that is past means now. Raises ServiceError ``malformed-json`` (400),
    ``invalid-message`` with every fault (422), or ``message-too-large`` (413).
    """
    if len(body) > BODY_LIMIT:
        raise ServiceError("message-too-large")
    faults: list[Fault] = []
    members = Members(strict_json.parse(body, views=True), "", _MEMBERS, faults)
    author = address_of(sender.display_name or "", sender.address)
    recipients = {name: _addresses(members, name) for name in _RECIPIENTS}
    _check_recipients(members, recipients)
    letter = _letter(members, author, recipients)
    send_at, expires_at = _schedule(members, now)
    on_uncertain = members.choice("on_uncertain", ("hold", "resend")) or "hold"
    if faults:
        raise ServiceError("invalid-message", faults=faults)
    everybody = [address for addresses in recipients.values() for address in addresses]
    return Draft(
        content=compose(letter, message_id=in_brackets(message_id), date=send_at or now),
        mail_from=author.addr_spec,
        rcpt_to=envelope_recipients(everybody),
        smtputf8=any(one.needs_smtputf8 for one in (author, *everybody, *letter.reply_to)),
        message_id=in_brackets(message_id),
        subject=letter.subject,
        to=tuple(one.shown for one in letter.to),
        send_at=send_at,
        expires_at=expires_at,
        on_uncertain=on_uncertain,
    )


def _letter(members: Members, author: Address, recipients: dict[str, list[Address]]) -> Letter:
    if "text" not in members and "html" not in members:
        members.fault("text", "is missing; a message needs text, html or both")
    return Letter(
        author=author,
        to=recipients["to"],
        cc=recipients["cc"],
        reply_to=_addresses(members, "reply_to"),
        subject=members.line("subject", limit=_TEXT_LIMIT) or "",
        text=members.text("text"),
        html=members.text("html"),
        attachments=_attachments(members),
        headers=_headers(members),
    )


def _addresses(members: Members, name: str) -> list[Address]:
    found = []
    for pointer, item in members.items(name, limit=RECIPIENT_LIMIT):
        try:
            address = _address(item, pointer, members.faults)
        except AddressError as error:
            members.faults.append(Fault(pointer, str(error)))
        else:
            found += [address] if address else []
    return found


def _address(item: object, pointer: str, faults: list[Fault]) -> Address | None:
    """Read one address in either of its forms; None when its faults are already remembered."""
    if isinstance(item, str):
        return parse_address(item)
    if not isinstance(item, dict):
        faults.append(Fault(pointer, 'must be an address: a string or {"name", "address"}'))
        return None
    before = len(faults)
    parts = Members(item, pointer, ("name", "address"), faults)
    name = parts.line("name", limit=_TEXT_LIMIT)
    address = parts.line("address", limit=_TEXT_LIMIT, required=True)
    if len(faults) > before or address is None:
        return None
    return address_of((name or "").strip(), address)


def _check_recipients(members: Members, recipients: dict[str, list[Address]]) -> None:
    count = sum(map(len, recipients.values()))
    if count > RECIPIENT_LIMIT:
        members.fault(
            "to", f"with cc and bcc has {count} recipients; the limit is {RECIPIENT_LIMIT}"
        )
    if not count and not members.faults:
        members.fault("to", "is missing; a message needs a recipient in to, cc or bcc")


def _attachments(members: Members) -> list[Attachment]:
    found = []
    used: set[str] = set()
    for pointer, item in members.items("attachments", limit=_ATTACHMENT_LIMIT):
        known = ("filename", "content_type", "content", "content_id")
        one = Members(item, pointer, known, members.faults)
        if not isinstance(item, dict):
            continue
        content_id = _content_id(one, used)
        attachment = Attachment(
            filename=_filename(one),
            content_type=_content_type(one),
            encoded=_content(one),
            content_id=content_id,
        )
        found.append(attachment)
    return found


def _filename(one: Members) -> str:
    filename = one.line("filename", limit=255, required=True) or ""
    if len(filename.encode()) > 255:
        one.fault("filename", "is longer than 255 octets")
    return filename


def _content_type(one: Members) -> str:
    content_type = one.line("content_type", limit=255)
    if content_type is not None and not _MEDIA_TYPE.fullmatch(content_type):
        one.fault("content_type", "is not the media type of a file, such as application/pdf")
    return content_type or "application/octet-stream"


def _content_id(one: Members, used: set[str]) -> str | None:
    content_id = one.line("content_id", limit=202)
    if content_id is None:
        return None
    if content_id.startswith("<") and content_id.endswith(">"):
        content_id = content_id[1:-1]
    if not _CONTENT_ID.fullmatch(content_id):
        one.fault("content_id", "must be of letters, digits, '.', '@', '-' and '_'")
    elif content_id in used:
        one.fault("content_id", "is that of another attachment too")
    used.add(content_id)
    return content_id


def _content(one: Members) -> bytes | memoryview:
    """Check the base64 (RFC 4648 section 4); it is not decoded, since the message holds base64."""
    value = one.value("content")
    if "content" not in one:
        one.fault("content", "is missing")
    elif not isinstance(value, str | LongText):
        one.fault("content", "must be a string")
    else:
        encoded = value.characters() if isinstance(value, LongText) else value.encode()
        if _is_base64(encoded):
            return encoded
        one.fault("content", "is not base64 (RFC 4648 section 4: padded, without line breaks)")
    return b""


def _is_base64(encoded: bytes | memoryview) -> bool:
    if len(encoded) % 4 or not _BASE64.fullmatch(encoded):
        return False
    last = bytes(encoded[-4:])
    return binascii.b2a_base64(binascii.a2b_base64(last), newline=False) == last


def _headers(members: Members) -> dict[str, str]:
    if "headers" not in members:
        return {}
    value = members.value("headers")
    names: Sequence[str] = list(value) if isinstance(value, dict) else []
    if len(names) > _HEADER_LIMIT:
        members.fault("headers", f"has {len(names)} fields; at most {_HEADER_LIMIT} are allowed")
        return {}
    headers = Members(value, members.pointer("headers"), names, members.faults)
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name in names:
        text = headers.line(name, limit=_TEXT_LIMIT)
        if name.lower() in seen:
            headers.fault(name, "is there twice, but for upper and lower case")
        elif _is_allowed(headers, name, text) and text is not None:
            found[name] = text
        seen.add(name.lower())
    return found


def _is_allowed(headers: Members, name: str, text: str | None) -> bool:
    shape = _STANDARD_FIELDS.get(name.lower())
    if shape is None and not _EXTENSION_FIELD.fullmatch(name):
        standard = ", ".join(one.title() for one in _STANDARD_FIELDS)
        headers.fault(name, f"may not be set; fields named X-… may, and {standard}")
    elif shape is not None and text is not None and not shape.fullmatch(text):
        headers.fault(name, "does not have the form that this field needs")
    else:
        return True
    return False


def _schedule(members: Members, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Read ``send_at`` and ``expires_at``; both lie at most 30 days ahead of what they follow."""
    send_at = _time(members, "send_at")
    if send_at is not None and send_at <= now:
        send_at = None
    if send_at is not None and send_at > now + SCHEDULE_LIMIT:
        members.fault("send_at", f"is more than {SCHEDULE_LIMIT.days} days ahead")
    expires_at = _time(members, "expires_at")
    start = send_at or now
    if expires_at is not None and expires_at <= start:
        members.fault("expires_at", "is not after the time of sending")
    elif expires_at is not None and expires_at - start > SCHEDULE_LIMIT:
        members.fault("expires_at", f"is more than {SCHEDULE_LIMIT.days} days after sending")
    return send_at, expires_at


def _time(members: Members, name: str) -> datetime | None:
    text = members.line(name, limit=40)
    if text is None:
        return None
    if _TIMESTAMP.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    members.fault(name, "is not a time by RFC 3339, such as 2026-12-01T08:00:00Z")
    return None
