"""HTTP: requests to functions and back, as an ASGI application."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from local.host.cookies import set_cookie
from local.host.execution import Executor
from local.host.functions import Function
from local.host.routes import decode, find, read_route
from local.host.settings import HostSettings
from local.host.wire import Record, TypedData
from local.host.worker import InvocationError

log = logging.getLogger("local.host")

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Headers = list[tuple[bytes, bytes]]
type Answer = tuple[int, Headers, bytes]
type Admin = Callable[[str, str, bytes], Awaitable[Answer | None]]

VALID_HEADER = re.compile(r"[\t\x20-\x7e]*")
DRAIN_SECONDS = 10


class TooLargeError(Exception):
    """The body exceeds the limit."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


class Web:
    """The functions with an HTTP trigger, and the host's own pages under /admin."""

    def __init__(
        self,
        functions: Iterable[Function],
        executor: Executor,
        settings: HostSettings,
        admin: Admin,
        *,
        body_limit: int,
        answer_within: float,
    ) -> None:
        routes = [read_route(each, settings.route_prefix) for each in functions]
        self.routes = sorted(routes, key=lambda route: route.precedence)
        self._executor = executor
        self._custom_headers = _encode_headers(settings.custom_headers)
        self._admin = admin
        self._body_limit = body_limit
        self._answer_within = answer_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        try:
            status, headers, body = await self._answer(scope, receive)
        except TooLargeError:
            status, headers, body = 413, [], b""
        except ClientGoneError:
            return  # half a request is none
        if status >= 200 and status not in {204, 304}:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        headers += self._custom_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], decode(scope["raw_path"].decode("ascii", "replace"))
        if path.partition("/")[0] == "admin":
            body = await self._read_body(scope, receive)
            return await self._admin(method, path, body) or (404, [], b"")
        found = find(self.routes, method, path)
        if found is None:
            return self._without_route(method, path)
        route, parameters = found
        body = await self._read_body(scope, receive)
        request = _request(scope, parameters, body)
        traceparent = request.headers.get("traceparent")
        del body  # the request holds it; a large one must not be held twice
        run = asyncio.ensure_future(
            self._executor.execute(
                route.function, TypedData(http=request), traceparent=traceparent
            )
        )
        done, _ = await asyncio.wait([run], timeout=self._answer_within)
        if not done:  # it goes on, but nobody waits for it any more
            run.add_done_callback(lambda late: late.cancelled() or late.exception())
            log.warning("%s: no answer in %g s", route.function.name, self._answer_within)
            return 504, [], b""
        if isinstance(run.exception(), InvocationError):
            return 500, [], b""
        return _response(run.result().values["$return"])

    def _without_route(self, method: str, path: str) -> Answer:
        others = [route for route in self.routes if route.match(path) is not None]
        if method == "HEAD" and others:
            return 405, [(b"allow", ", ".join(sorted(others[0].methods)).encode())], b""
        return 404, [], b""

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        announced = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        chunks, size = [], 0
        more = True
        while more:
            if max(size, int(announced)) > self._body_limit:
                await _discard(receive)
                raise TooLargeError
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
        return b"".join(chunks)


async def _discard(receive: Receive) -> None:
    """Read the rest for a while, so that the client gets to see the answer."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return


def _request(scope: Scope, parameters: Mapping[str, str], body: bytes) -> Record:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
        joint = "; " if key == "cookie" else ","
        headers[key] = f"{headers[key]}{joint}{text}" if key in headers else text
    query: dict[str, str] = {}
    for key, value in parse_qsl(scope["query_string"].decode("ascii", "replace")):
        query[key] = f"{query[key]},{value}" if key in query else value
    path = scope["raw_path"].decode("ascii", "replace")
    search = scope["query_string"].decode("ascii", "replace")
    url = f"{scope['scheme']}://{headers.get('host', '')}{path}{'?' + search if search else ''}"
    return Record(
        method=scope["method"],
        url=url,
        headers=headers,
        query=query,
        params=dict(parameters),
        body=TypedData(bytes=body),
    )


def _response(value: TypedData | None) -> Answer:
    kind = value.WhichOneof("data") if value is not None else None
    if value is None or kind is None:
        return 204, [], b""
    if kind != "http":
        return 200, [(b"content-type", b"text/plain; charset=utf-8")], _body(value)
    http = value.http
    try:
        headers = _encode_headers(http.headers)
        headers += [
            (b"set-cookie", _encode("set-cookie", set_cookie(each))) for each in http.cookies or ()
        ]
    except ValueError as error:
        log.log(logging.ERROR, "the response's headers cannot be sent: %s", error)
        return 500, [], b""
    return int(http.status_code), headers, _body(http.body)


def _body(value: TypedData | None) -> bytes:
    kind = value.WhichOneof("data") if value is not None else None
    if value is None or kind is None:
        return b""
    content: bytes | str = getattr(value, kind)
    return content.encode() if isinstance(content, str) else content


def _encode_headers(headers: Mapping[str, str]) -> Headers:
    unwanted = {"content-length", "transfer-encoding", "connection"}
    return [
        (name.lower().encode("ascii"), _encode(name, value))
        for name, value in headers.items()
        if name.lower() not in unwanted
    ]


def _encode(name: str, value: str) -> bytes:
    if VALID_HEADER.fullmatch(value) is None:
        raise ValueError(f"{name}: a header holds ASCII only, and no line break")
    return value.encode("ascii")
