"""A submission server for one test: Exchange's manners, except where a script says otherwise."""

import contextlib
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

DROP = "drop"
"""Instead of a reply: close the connection."""

SILENCE = "silence"
"""Instead of a reply: nothing, and nothing after it."""

_OFFERS = ("SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8")
_REPLIES = {
    "GREETING": "220 exchange.test Microsoft ESMTP MAIL Service ready",
    "STARTTLS": "220 2.0.0 SMTP server ready",
    "AUTH": "334 ",
    "RESPONSE": "235 2.7.0 Authentication successful",
    "EMPTY": "535 5.7.3 Authentication unsuccessful [exchange.test]",
    "RSET": "250 2.0.0 Resetting",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "DATA": "354 Start mail input; end with <CRLF>.<CRLF>",
    "CONTENT": "250 2.0.0 OK <id@exchange.test> [Hostname=EXCHANGE.TEST]",
    "QUIT": "221 2.0.0 Service closing transmission channel",
}


@dataclass
class Script:
    """What is offered, and per step what is answered in turn before the usual answers return."""

    offers_plain: tuple[str, ...] = (*_OFFERS, "STARTTLS")
    offers_tls: tuple[str, ...] = (*_OFFERS, "AUTH LOGIN XOAUTH2")
    answers: dict[str, list[str]] = field(default_factory=dict)
    before_handshake: bytes = b""
    hang_up_after: int | None = None  # octets of content
    speak_before_content: str = ""
    pause_before_354: float = 0.0
    farewell_after_content: str = ""
    octet_by_octet: bool = False


class _HungUpError(Exception):
    pass


class ScriptedServer:
    """Listens on a port of its own; remembers what it was told. A context manager."""

    def __init__(self, tls: ssl.SSLContext, script: Script | None = None) -> None:
        self.script = script or Script()
        self.commands: list[str] = []
        self.groups: list[str] = []  # commands as they arrived, one entry per read
        self.contents: list[bytes] = []
        self.unfinished: list[bytes] = []
        self.connections = 0
        self.early_content = False
        self.resumed: list[bool] = []
        self._tls = tls
        self._answers: dict[str, deque[str]] = defaultdict(deque)
        for step, answers in self.script.answers.items():
            self._answers[step].extend(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):  # not SSLSocket's own, which is not for threads
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def wait_until_idle(self) -> None:
        """Wait until every conversation so far has ended."""
        for thread in self._threads[1:]:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            thread = threading.Thread(target=self._converse, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _converse(self, sock: socket.socket) -> None:
        conversation = _Conversation(self, sock)
        try:
            conversation.run()
        except (_HungUpError, OSError):
            pass
        finally:
            conversation.close()

    def answer(self, step: str) -> str:
        return self._answers[step].popleft() if self._answers[step] else _REPLIES[step]


class _Conversation:
    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.buffer = b""
        server._open.append(sock)

    def close(self) -> None:
        self.sock.close()

    def run(self) -> None:
        self.say("GREETING")
        secured = False
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offers = self.server.script.offers_tls if secured else self._plain_offers()
                lines = ["exchange.test Hello", *offers]
                self.send(
                    "\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"])
                )
            elif verb == "STARTTLS":
                secured = self.start_tls()
            elif verb == "AUTH":
                self.authenticate()
            elif verb == "DATA":
                self.receive_content()
            elif verb == "QUIT":
                self.say("QUIT")
                return
            else:
                self.say(verb)

    def _plain_offers(self) -> tuple[str, ...]:
        return self.server.script.offers_plain

    def start_tls(self) -> bool:
        self.sock.sendall(
            self.server.answer("STARTTLS").encode() + b"\r\n" + self.server.script.before_handshake
        )
        self.sock = self.server._tls.wrap_socket(self.sock, server_side=True)
        self.server._open.append(self.sock)
        self.buffer = b""
        assert isinstance(self.sock, ssl.SSLSocket)
        self.server.resumed.append(bool(self.sock.session_reused))
        return True

    def authenticate(self) -> None:
        if not self.say("AUTH").startswith("334"):
            return
        self.line()
        if self.say("RESPONSE").startswith("334"):
            assert self.line() == ""
            self.say("EMPTY")

    def receive_content(self) -> None:
        script = self.server.script
        if script.pause_before_354:
            time.sleep(script.pause_before_354)
            self.sock.settimeout(0)
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                self.server.early_content = bool(self.sock.recv(1))
            self.sock.settimeout(None)
        if not self.say("DATA").startswith("354"):
            return
        if script.speak_before_content:
            self.send(script.speak_before_content)
        content = b""
        try:
            while (line := self.raw_line()) != b".\r\n":
                content += line[1:] if line.startswith(b".") else line
                if script.hang_up_after is not None and len(content) >= script.hang_up_after:
                    self.send(DROP)
        except (_HungUpError, OSError):
            self.server.unfinished.append(content)
            raise
        self.server.contents.append(content)
        self.say("CONTENT")
        if script.farewell_after_content:
            time.sleep(0.1)
            self.send(script.farewell_after_content)

    def say(self, step: str) -> str:
        answer = self.server.answer(step)
        self.send(answer)
        return answer

    def send(self, answer: str) -> None:
        if answer == DROP:
            raise _HungUpError
        if answer == SILENCE:
            while self.sock.recv(65536):
                pass
            raise _HungUpError
        octets = answer.encode() + b"\r\n"
        step = 1 if self.server.script.octet_by_octet else len(octets)
        for start in range(0, len(octets), step):
            self.sock.sendall(octets[start : start + step])
        if answer.startswith("421"):
            raise _HungUpError

    def line(self) -> str:
        line = self.raw_line().decode().removesuffix("\r\n")
        self.server.commands.append(line)
        return line

    def raw_line(self) -> bytes:
        while (end := self.buffer.find(b"\n")) < 0:
            octets = self.sock.recv(65536)
            if not octets:
                raise _HungUpError
            self.server.groups.append(octets.decode(errors="replace"))
            self.buffer += octets
        line, self.buffer = self.buffer[: end + 1], self.buffer[end + 1 :]
        return line
