"""One TCP connection to a submission server: octets out, replies in, TLS begun in between."""

import socket
import ssl
import time
from dataclasses import dataclass

from shared.microsoft.smtp import Reply, ReplyBuffer, ReplyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds, for each kind of answer.

    RFC 5321 section 4.5.3.2 asks for minutes, more than a function may run for; a wait that ends
    too early after the content costs certainty, so that one is the longest.
    """

    connect: float = 15
    handshake: float = 15
    command: float = 60
    write: float = 60
    content: float = 120


class Connection:
    """A socket with a reply buffer. *deadline* (``time.monotonic``) ends every wait; None: never.

    Everything raises OSError when the network or TLS fails, TimeoutError in time, and ReplyError
    when the server does not speak SMTP.
    """

    def __init__(self, sock: socket.socket, *, deadline: float | None = None) -> None:
        self.deadline = deadline
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._replies = ReplyBuffer()

    @classmethod
    def connect(
        cls, host: str, port: int, *, timeout: float, deadline: float | None
    ) -> "Connection":
        """Connect by TCP; small writes leave at once (no Nagle: it would cost round trips)."""
        sock = socket.create_connection((host, port), _remaining(timeout, deadline))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, deadline=deadline)

    @property
    def own_address(self) -> str:
        """The IP address of this end."""
        return str(self._sock.getsockname()[0])

    @property
    def has_unread(self) -> bool:
        """Whether octets have come in that are no part of a reply read so far."""
        sock = self._sock
        undelivered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        return undelivered or not self._replies.is_empty

    def start_tls(
        self, tls: ssl.SSLContext, host: str, *, session: ssl.SSLSession | None, timeout: float
    ) -> None:
        """Run the handshake; the certificate must be valid for *host*.

        Nothing that came in before is ever taken for a reply that was protected (RFC 3207
        section 4.2): there is a new buffer, and octets in the old one are an error.
        """
        if self.has_unread:
            raise ReplyError("the server went on talking before the handshake")
        self.wait_at_most(timeout)
        self._sock = tls.wrap_socket(self._sock, server_hostname=host, session=session)
        self._replies = ReplyBuffer()

    @property
    def tls_resumed(self) -> bool:
        """Whether the handshake was shortened by an earlier session."""
        return isinstance(self._sock, ssl.SSLSocket) and bool(self._sock.session_reused)

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        """What a later handshake can be shortened with, once the server has sent it."""
        session = self._sock.session if isinstance(self._sock, ssl.SSLSocket) else None
        return session if session is not None and session.has_ticket else None

    def wait_at_most(self, seconds: float) -> None:
        """Set how long what follows may wait; raise TimeoutError if the deadline has passed."""
        self._set_timeout(_remaining(seconds, self.deadline))

    def send(self, octets: bytes | memoryview) -> None:
        """Hand all *octets* over."""
        self._sock.sendall(octets)

    def read_reply(self, *, timeout: float) -> Reply:
        """Return the next reply, which must be complete *timeout* seconds from now."""
        reply = self._replies.take()
        if reply is not None:
            return reply
        self.wait_at_most(timeout)
        end = time.monotonic() + timeout
        while True:
            octets = self._sock.recv(4096)
            if not octets:
                raise ConnectionResetError("the server closed the connection")
            self._replies.feed(octets)
            if (reply := self._replies.take()) is not None:
                return reply
            self.wait_at_most(end - time.monotonic())

    def is_quiet(self) -> bool:
        """Tell whether the connection is up and the server has said nothing unasked."""
        if self.has_unread:
            return False
        self._set_timeout(0)
        try:
            octets = self._sock.recv(4096)  # b"": closed; anything else: probably a 421
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        self._replies.feed(octets)
        return False

    def close(self) -> None:
        """Close at once; what was not handed over never will be."""
        self._sock.close()

    def _set_timeout(self, seconds: float) -> None:
        if seconds != self._timeout:  # setting it is a system call
            self._sock.settimeout(seconds)
            self._timeout = seconds


def _remaining(seconds: float, deadline: float | None) -> float:
    """Return *seconds*, less if the deadline is nearer; raise TimeoutError if it has passed."""
    if deadline is not None:
        seconds = min(seconds, deadline - time.monotonic())
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    return seconds
