"""A delivered message as its reader sees it: the MIME bytes taken apart."""

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail program shows of a message."""

    sender: str
    to: str
    cc: str
    subject: str
    text: str
    html: str
    message_id: str
    attachments: tuple[Attachment, ...]
    header_names: tuple[str, ...]
    defects: tuple[str, ...]


def open_letter(content: bytes) -> Letter:
    """Take *content*, a whole RFC 5322 message, apart."""
    message = message_from_bytes(content, _class=EmailMessage, policy=default)
    return Letter(
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        cc=str(message["Cc"] or ""),
        subject=str(message["Subject"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        message_id=str(message["Message-ID"] or ""),
        attachments=tuple(_attachment(part) for part in message.iter_attachments()),
        header_names=tuple(name.lower() for name in message),
        defects=tuple(str(defect) for part in message.walk() for defect in part.defects),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n") if part else ""


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_content()
    return Attachment(
        part.get_filename() or "",
        part.get_content_type(),
        content if isinstance(content, bytes) else str(content).encode(),
    )
