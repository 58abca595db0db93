"""The demo page's own server: its files, a session for the person at the keyboard, the inbox.

In Quick3 the session is the sign-in the user already has, and there is no inbox.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from local.demo.letter import Letter, open_letter

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and the token that says so to the API at *api*."""

    name: str
    company: str
    api: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One message as Exchange took it: the envelope, who signed in, the bytes."""

    id: str
    envelope_from: str
    envelope_to: tuple[str, ...]
    user: str
    received_at: datetime
    content: bytes


type Sessions = Callable[[], Session]
type Inbox = Callable[[], Sequence[Delivered]]


def page_application(sessions: Sessions, inbox: Inbox, api: str) -> Starlette:
    """The page, whose scripts may call the API at *api* and nothing else."""
    routes = [
        Route("/demo/session", _session(sessions), methods=["POST"]),
        Route("/demo/inbox", _inbox(inbox)),
        Route("/demo/inbox/{id}", _source(inbox)),
        Route("/demo/inbox/{id}/{number:int}", _attachment(inbox)),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    headers = _headers(api.removesuffix("/api"))
    return Starlette(routes=routes, middleware=[Middleware(_WithHeaders, headers=headers)])


def _headers(api_origin: str) -> dict[str, str]:
    """What a page like this should say of itself; the API's origin is all it reaches."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        f"connect-src 'self' {api_origin}",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        # The API sees which origin a browser comes from to connect, and no more than that.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cache-Control": "no-store",
    }


class _WithHeaders(BaseHTTPMiddleware):
    def __init__(self, app: Any, headers: dict[str, str]) -> None:  # noqa: ANN401 - ASGI app
        super().__init__(app)
        self._headers = headers

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        return response


type Endpoint = Callable[[Request], Response]


def _session(sessions: Sessions) -> Endpoint:
    def answer(_request: Request) -> Response:
        session = sessions()
        return JSONResponse(
            {
                "name": session.name,
                "company": session.company,
                "api": session.api,
                "token": session.token,
                "expires_at": session.expires_at.isoformat(),
            }
        )

    return answer


def _inbox(inbox: Inbox) -> Endpoint:
    def answer(_request: Request) -> Response:
        delivered = inbox()
        mailboxes = sorted({address for message in delivered for address in message.envelope_to})
        newest_first = [_shown(message) for message in reversed(delivered)]
        return JSONResponse({"mailboxes": mailboxes, "messages": newest_first})

    return answer


def _shown(message: Delivered) -> dict[str, object]:
    letter = open_letter(message.content)
    return {
        "id": message.id,
        "envelope_from": message.envelope_from,
        "envelope_to": list(message.envelope_to),
        "user": message.user,
        "received_at": message.received_at.isoformat(),
        "from": letter.sender,
        "to": letter.to,
        "cc": letter.cc,
        "subject": letter.subject,
        "text": letter.text or letter.html,
        "attachments": _attachments(message, letter),
        "source": f"demo/inbox/{message.id}",
    }


def _attachments(message: Delivered, letter: Letter) -> list[dict[str, object]]:
    return [
        {
            "filename": attachment.filename,
            "size": len(attachment.content),
            "href": f"demo/inbox/{message.id}/{number}",
        }
        for number, attachment in enumerate(letter.attachments)
    ]


def _source(inbox: Inbox) -> Endpoint:
    def answer(request: Request) -> Response:
        found = _find(inbox, request)
        if found is None:
            return Response(status_code=404)
        return Response(found.content, media_type="text/plain; charset=utf-8")

    return answer


def _attachment(inbox: Inbox) -> Endpoint:
    def answer(request: Request) -> Response:
        found = _find(inbox, request)
        attachments = open_letter(found.content).attachments if found else ()
        number = int(request.path_params["number"])
        if number >= len(attachments):
            return Response(status_code=404)
        # Never shown by the browser as a page of this origin, whatever the sender called it.
        headers = {"Content-Disposition": "attachment"}
        return Response(
            attachments[number].content, headers=headers, media_type="application/octet-stream"
        )

    return answer


def _find(inbox: Inbox, request: Request) -> Delivered | None:
    wanted = request.path_params["id"]
    return next((message for message in inbox() if message.id == wanted), None)


def listening_socket(port: int = 0) -> socket.socket:
    """Take a port on 127.0.0.1 (0: a free one) early, so that others may be told of it."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.close()
        raise
    return listening


@contextmanager
def serving(application: Starlette, listening: socket.socket) -> Iterator[None]:
    """Serve *application* on *listening* in a thread until the block ends."""
    config = uvicorn.Config(application, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
