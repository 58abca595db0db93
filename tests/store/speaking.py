"""A server that says what a test wrote down, one answer a connection or one after the other."""

import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Self

from shared.store.endpoint import Endpoint, Request


class Scripted:
    """Answers each request with the next of *answers*; an empty one hangs up."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listening.close()

    def endpoint(self) -> Endpoint:
        """A service at this server, without a signature."""
        return Endpoint(f"http://127.0.0.1:{self.port}", _nobody, version="1", tls=no_tls)

    def _serve(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while self._answers and (request := connection.recv(65_536)):
            self.requests.append(request)
            answer = self._answers.pop(0)
            if not answer:
                return
            connection.sendall(answer)


def answer(status: str, body: bytes = b"", headers: Sequence[str] = ()) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def no_tls() -> ssl.SSLContext:
    """What is never asked for where the address says http."""
    raise AssertionError("asked for TLS")


def _nobody(_request: Request) -> str:
    return "None"
