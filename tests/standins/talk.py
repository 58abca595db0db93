"""An SMTP client that says exactly what it is told, byte by byte."""

import base64
import socket
import ssl
from types import TracebackType
from typing import Self

from local.standins import Stack

TIMEOUT = 5


class Talk:
    """One connection to the Exchange stand-in."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._socket = socket.create_connection(("127.0.0.1", stack.exchange.port), TIMEOUT)
        self._file = self._socket.makefile("rb")

    def say(self, *lines: str | bytes) -> None:
        """Send the lines in one flight, CRLF behind each."""
        flight = b"".join(
            (line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines
        )
        self._socket.sendall(flight)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self) -> str:
        """One reply, its lines joined by a line feed; empty when the server hung up."""
        lines = []
        while True:
            try:
                line = self._file.readline().decode().rstrip("\r\n")
            except (ConnectionResetError, ssl.SSLError):
                return ""
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, line: str) -> str:
        self.say(line)
        return self.hear()

    def start_tls(self) -> Self:
        """Greeting, EHLO, STARTTLS, handshake with verification, EHLO."""
        self.hear()
        self.ask("EHLO client.example")
        assert self.ask("STARTTLS").startswith("220 2.0.0")
        self._file.close()
        context = self._stack.trust.client_context()
        self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._file = self._socket.makefile("rb")
        self.ask("EHLO client.example")
        return self

    def sign_in(self, user: str = "kari@firma.no", token: str | None = None) -> Self:
        """TLS, then AUTH XOAUTH2 in two lines, which must succeed."""
        self.start_tls()
        reply = self.authenticate(user, token or self._stack.entra.access_token(user))
        assert reply.startswith("235 2.7.0"), reply
        return self

    def authenticate(self, user: str, token: str) -> str:
        assert self.ask("AUTH XOAUTH2") == "334 "
        return self.ask(xoauth2(user, token))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def xoauth2(user: str, token: str) -> str:
    """The SASL response."""
    return base64.b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode()).decode()


def message(number: int = 1, sender: str = "kari@firma.no") -> bytes:
    """A small message with a line that begins with a dot, as it is before transparency."""
    return (
        f"From: Kari <{sender}>\r\nTo: ola@x.no\r\nMessage-ID: <{number}@firma.no>\r\n"
        "Subject: hei\r\n\r\nHei\r\n.prikk\r\n"
    ).encode()


def stuffed(content: bytes) -> bytes:
    """The content with transparency (RFC 5321 section 4.5.2), without the final dot."""
    return content.replace(b"\r\n.", b"\r\n..")
