"""An endpoint of Azure Storage over HTTP: kept connections, signatures, and patience.

Tables and queues are spoken to directly (Azure Storage REST API), because every message passes
here several times and the SDK's clients cost ten times the CPU.
"""

import contextlib
import http.client
import random
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import quote, urlencode, urlsplit

from shared.errors import ServiceError

CONNECT_SECONDS = 5
READ_SECONDS = 15
TRIES = 5
FIRST_PAUSE = 0.3
LONGEST_PAUSE = 4.0
KEPT_CONNECTIONS = 64
LATER = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that say nothing against the request: it is made again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. *path* begins with a slash, percent-encoded; *query* is not encoded yet."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


type Authorize = Callable[[Request], str]
"""Returns the Authorization header for a request whose other headers are complete."""


class Endpoint:
    """One service of an account (``https://account.table.core.windows.net``); safe for threads.

    A request that met no answer, or one that says later, is made again a few times: whoever asks
    must bear that it was carried out twice. ServiceError("storage-unavailable") when all failed.
    """

    def __init__(
        self, url: str, authorize: Authorize, *, version: str, tls: Callable[[], ssl.SSLContext]
    ) -> None:
        parts = urlsplit(url.rstrip("/"))
        self.url = url.rstrip("/")
        self._root = parts.path
        self._host = parts.netloc
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname or "", parts.port or (443 if self._secure else 80))
        self._authorize = authorize
        self._version = version
        self._tls = tls
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Return the service's answer, whatever its status if that does not say later."""
        for number in range(TRIES):
            pause = min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                answer = self._exchange(
                    self._signed(
                        Request(method, self._root + path, query or {}, headers or {}, body)
                    )
                )
            except (OSError, http.client.HTTPException):
                pass
            else:
                if answer.status not in LATER:
                    return answer
                pause = max(pause, _seconds(answer.headers.get("retry-after")))
            if number < TRIES - 1:
                time.sleep(min(pause, LONGEST_PAUSE))
        raise ServiceError("storage-unavailable", retry_after=5)

    def _signed(self, request: Request) -> Request:
        headers = {
            **request.headers,
            "x-ms-date": formatdate(usegmt=True),
            "x-ms-version": self._version,
        }
        if request.body or request.method in ("POST", "PUT"):
            headers["Content-Length"] = str(len(request.body))
        whole = Request(request.method, request.path, request.query, headers, request.body)
        headers["Authorization"] = self._authorize(whole)
        return whole

    def _exchange(self, request: Request) -> Answer:
        """Ask on a kept connection; if that was closed while it was idle, on a new one."""
        kept = self._take()
        if kept is not None:
            with contextlib.suppress(ConnectionError):  # http.client.RemoteDisconnected is one
                return self._converse(kept, request)
        return self._converse(self._connection(), request)

    def _converse(self, connection: socket.socket, request: Request) -> Answer:
        try:
            connection.sendall(self._written(request))
            with http.client.HTTPResponse(connection, method=request.method) as response:
                response.begin()
                body = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, body)

    def _written(self, request: Request) -> bytes:
        """Write a request in one piece, so that it leaves in one."""
        target = request.path
        if request.query:
            target += "?" + urlencode(request.query, quote_via=quote)
        lines = [f"{request.method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body

    def _take(self) -> socket.socket | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < KEPT_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connection(self) -> socket.socket:
        connection = socket.create_connection(self._address, CONNECT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            try:
                name = self._address[0]
                connection = self._tls().wrap_socket(connection, server_hostname=name)
            except BaseException:
                connection.close()
                raise
        connection.settimeout(READ_SECONDS)
        return connection


def _close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
