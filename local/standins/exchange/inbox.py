"""The inboxes over HTTP, read only: for a page that shows them and for other programs."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from local.standins.exchange.mailboxes import Delivered
from local.standins.exchange.server import Exchange, summary
from local.standins.standin import StandIn
from local.standins.web import Request, Response

PAGE_SIZE = 100


class Inbox(StandIn):
    """``/messages?to=&after=``, ``/messages/{id}``, ``/messages/{id}/raw``."""

    name = "inbox"

    def __init__(self, exchange: Exchange, port: int = 0) -> None:
        super().__init__(None, port)
        self._exchange = exchange

    def settings(self) -> dict[str, str]:
        return {"INBOX_URL": self.url}

    def endpoint(self, request: Request) -> str:
        return "messages" if request.path == "/messages" else "message"

    def answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(405, {"error": "read only"}, {"Allow": "GET, HEAD"})
        match request.path.strip("/").split("/"):
            case ["messages"]:
                return self._list(request)
            case ["messages", number]:
                return self._one(number, raw=False)
            case ["messages", number, "raw"]:
                return self._one(number, raw=True)
        return Response(404, {"error": "not found"})

    def _list(self, request: Request) -> Response:
        to = request.query.get("to")
        after = request.query.get("after", "0")
        found = self._exchange.inbox(to) if to else self._exchange.delivered
        newer = [m for m in found if after.isdecimal() and m.id > int(after)]
        return Response(200, {"items": [opened(message) for message in newer[:PAGE_SIZE]]})

    def _one(self, number: str, *, raw: bool) -> Response:
        for message in self._exchange.delivered:
            if str(message.id) == number:
                if raw:
                    kind = {"Content-Type": "message/rfc822"}
                    return Response(200, message.content, kind)
                return Response(200, opened(message))
        return Response(404, {"error": "no such message"})


def opened(message: Delivered) -> dict[str, Any]:
    """A delivered message as a mail program would show it."""
    parsed = message_from_bytes(message.content, policy=policy.default)
    bodies = {kind: parsed.get_body((kind,)) for kind in ("plain", "html")}
    return summary(message) | {
        "subject": str(parsed["subject"] or ""),
        "from": str(parsed["from"] or ""),
        "to": str(parsed["to"] or ""),
        "cc": str(parsed["cc"] or ""),
        "date": str(parsed["date"] or ""),
        "text": _text(bodies["plain"]),
        "html": _text(bodies["html"]),
        "attachments": [_attachment(part) for part in parsed.iter_attachments()],
    }


def _text(part: object) -> str | None:
    if not isinstance(part, EmailMessage):
        return None
    return str(part.get_content())


def _attachment(part: Any) -> dict[str, Any]:  # noqa: ANN401 - the email package's own
    content = part.get_payload(decode=True) or b""
    return {
        "filename": part.get_filename(),
        "content_type": part.get_content_type(),
        "size": len(content),
    }
