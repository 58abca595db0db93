"""HTTP/1.1 for the stand-ins: read a request strictly, write what the stand-in answers."""

import asyncio
import contextlib
import http
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
IDLE_SECONDS = 120


class BadRequestError(Exception):
    """The bytes are not the HTTP/1.1 request they should be."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case, path decoded."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def form(self) -> dict[str, str]:
        """The body as ``application/x-www-form-urlencoded``; a repeated name is a fault."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadRequestError(415, "form expected")
        return _unique(self.body.decode("utf-8"))

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadRequestError(400, "JSON expected") from error

    def cookie(self, name: str) -> str | None:
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return None

    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(slots=True)
class Response:
    """What is answered; *body* may be JSON's dict or list, text (HTML) or bytes."""

    status: int = 200
    body: bytes | str | dict[str, Any] | list[Any] = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self, *, keep: bool, head: bool) -> bytes:
        content, kind = self._content()
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        headers = {"Content-Type": kind} if kind else {}
        headers |= self.headers
        headers |= {"Content-Length": str(len(content))}
        headers |= {"Connection": "keep-alive" if keep else "close"}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head else content)

    def _content(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream" if self.body else ""
        if isinstance(self.body, str):
            return self.body.encode(), "text/html; charset=utf-8"
        return json.dumps(
            self.body, ensure_ascii=False
        ).encode(), "application/json; charset=utf-8"


@dataclass(slots=True)
class Broken:
    """No answer: the connection is cut at once, or after *after* seconds of silence."""

    after: float = 0


class Conversation:
    """One connection: requests one after the other until either side has enough."""

    def __init__(self, answer: "Answer") -> None:
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._turn(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, ssl.SSLError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(writer.wait_closed(), 1)

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            request = await read_request(reader, writer)
            if request is None:
                return False
            answer = await self._answer(request)
        except BadRequestError as error:
            refusal = Response(error.status, {"error": str(error)})
            writer.write(refusal.encode(keep=False, head=False))
            await writer.drain()
            return False
        if isinstance(answer, Broken):
            await asyncio.sleep(answer.after)
            writer.transport.abort()
            return False
        keep = request.headers.get("connection", "").lower() != "close"
        writer.write(answer.encode(keep=keep, head=request.method == "HEAD"))
        await writer.drain()
        return keep


class Answer:
    """Answers requests; a stand-in is one."""

    async def __call__(self, request: Request) -> Response | Broken:
        raise NotImplementedError


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """Read one request (RFC 9112); None when the peer left between two."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError(431, "header section too large") from error
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target = _request_line(first)
    headers = _headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _body(reader, headers)
    parts = urlsplit(target)
    query = _unique(parts.query)
    return Request(method, target, unquote(parts.path), query, headers, body)


def _request_line(line: str) -> tuple[str, str]:
    match line.split(" "):
        case [method, target, "HTTP/1.1"] if target.startswith("/"):
            return method, target
    raise BadRequestError(400, "request line is not HTTP/1.1")


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError(400, "malformed header")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    if "host" not in headers:
        raise BadRequestError(400, "Host is missing")
    return headers


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > BODY_LIMIT:
        raise BadRequestError(413 if length.isdecimal() else 400, "Content-Length")
    return await reader.readexactly(int(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise BadRequestError(400, "chunk size") from error
        if len(body) + size > BODY_LIMIT:
            raise BadRequestError(413, "body too large")
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return bytes(body)


def _unique(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise BadRequestError(400, "a parameter is repeated")
    return values


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
