"""A fast Exchange-like submission server that takes everything: `python -m bench.sink --help`.

One thread a connection, blocking. Every flight of replies leaves *delay* after what it answers
came in, the greeting and the TLS handshake too: that is one round trip each.
"""

import argparse
import contextlib
import json
import resource
import socket
import ssl
import sys
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

PLAIN = (
    b"250-sink.test Hello\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n250-DSN\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250-8BITMIME\r\n250-BINARYMIME\r\n"
    b"250-CHUNKING\r\n250 SMTPUTF8\r\n"
)
SECURE = PLAIN.replace(b"STARTTLS", b"AUTH LOGIN XOAUTH2")
END = b"\r\n.\r\n"
REPLIES = {
    b"MAIL": b"250 2.1.0 Sender OK\r\n",
    b"RCPT": b"250 2.1.5 Recipient OK\r\n",
    b"DATA": b"354 Start mail input; end with <CRLF>.<CRLF>\r\n",
    b"RSET": b"250 2.0.0 Resetting\r\n",
    b"NOOP": b"250 2.0.0 OK\r\n",
}
ACCEPTED = b"250 2.0.0 OK <id@sink.test> [Hostname=SINK.TEST]\r\n"


class Sink:
    """Counts messages and octets; refuses what is out of order."""

    def __init__(self, delay: float, tls: ssl.SSLContext) -> None:
        self.delay = delay
        self.tls = tls
        self.lock = threading.Lock()
        self.messages = 0
        self.octets = 0
        self.connections = 0
        self.resumed = 0
        self.early = 0
        self.moments: deque[dict[str, float]] = deque(maxlen=100)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(sock,), daemon=True).start()

    def converse(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Greeting, EHLO, STARTTLS, handshake, EHLO and content; the rest is the client's choice.
        moments = {"connected": time.monotonic(), "round_trips": 6}
        self.moments.append(moments)
        with contextlib.suppress(OSError, ConnectionError), sock:
            with self.lock:
                self.connections += 1
            self.say(sock, b"220 sink.test Microsoft ESMTP MAIL Service ready\r\n")
            self.expect(sock, b"EHLO")
            self.say(sock, PLAIN)
            self.expect(sock, b"STARTTLS")
            self.say(sock, b"220 2.0.0 SMTP server ready\r\n")
            sock.recv(1, socket.MSG_PEEK)
            time.sleep(self.delay)
            with self.tls.wrap_socket(sock, server_side=True) as secure:
                self.resumed += bool(secure.session_reused)
                self.expect(secure, b"EHLO")
                self.say(secure, SECURE)
                moments["round_trips"] += self.authenticate(secure)
                moments["authenticated"] = time.monotonic()
                self.receive(secure, moments)

    def say(self, sock: socket.socket, replies: bytes) -> None:
        if self.delay:
            time.sleep(self.delay)
        sock.sendall(replies)

    def expect(self, sock: socket.socket, verb: bytes) -> bytes:
        line = sock.recv(16384)
        while not line.endswith(b"\r\n"):
            more = sock.recv(16384)
            if not more:
                raise ConnectionError
            line += more
        if not line.upper().startswith(verb):
            raise ConnectionError(f"expected {verb!r}")
        return line

    def authenticate(self, sock: socket.socket) -> int:
        """Take either form of AUTH XOAUTH2 with any token; return the round trips it took."""
        blob, round_trips = self.expect(sock, b"AUTH XOAUTH2")[len(b"AUTH XOAUTH2") :].strip(), 1
        if not blob:
            self.say(sock, b"334 \r\n")
            round_trips = 2
            blob = self.expect(sock, b"").strip()
        if b"\x01auth=Bearer " not in b64decode(blob):
            raise ConnectionError("not XOAUTH2")
        self.say(sock, b"235 2.7.0 Authentication successful\r\n")
        return round_trips

    def receive(self, sock: socket.socket, moments: dict[str, float]) -> None:
        messages, octets = 0, 0
        try:
            for count in self.messages_of(sock, moments):
                if not messages:
                    moments["received"] = time.monotonic()
                messages += 1
                octets += count
        finally:
            with self.lock:
                self.messages += messages
                self.octets += octets

    def messages_of(self, sock: socket.socket, moments: dict[str, float]) -> Iterator[int]:
        """Yield the size of each message; the loop that everything is measured against."""
        buffer, size, within = b"", 0, False
        known: dict[bytes, Answer] = {}  # what was said before is answered as before
        while octets := sock.recv(16384):
            buffer = buffer + octets if buffer else octets
            replies = b""
            if within:
                end = end_of_content(buffer)
                if end < 0:  # keep what may be the beginning of the end
                    size += max(0, len(buffer) - 4)
                    buffer = buffer[-4:]
                    continue
                yield size + end
                buffer, size, within = buffer[end + 5 :], 0, False
                replies = ACCEPTED
            if buffer:
                answer = known.get(buffer) or answer_commands(buffer)
                known[buffer] = answer
                replies += answer.replies
                buffer, within = answer.rest, answer.within
            if replies:
                self.say(sock, replies)
                moments["round_trips"] += "received" not in moments
            if within and buffer:
                self.early += 1
                return
            if replies.startswith(b"221"):
                return


@dataclass(frozen=True, slots=True)
class Answer:
    """The *replies* to some commands, the *rest* that is no whole line, content to come or not."""

    replies: bytes
    rest: bytes
    within: bool


def answer_commands(octets: bytes) -> Answer:
    """Answer all commands there are, up to the one that content follows."""
    replies = b""
    while b"\r\n" in octets:
        line, _, octets = octets.partition(b"\r\n")
        verb = line[:4].upper()
        replies += REPLIES.get(verb, b"221 2.0.0 Service closing transmission channel\r\n")
        if verb == b"DATA":
            return Answer(replies, octets, within=True)
    return Answer(replies, octets, within=False)


def end_of_content(octets: bytes) -> int:
    """Return where the content ends, or -1; a dot is looked for from behind, as that is fast.

    There is one end at most: nobody may send a second content before the first has its reply.
    """
    dot = len(octets)
    while (dot := octets.rfind(b".", 0, dot)) >= 2:
        if octets[dot - 2 : dot + 3] == END:
            return dot - 2
    return -1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sink", description=__doc__)
    parser.add_argument("--delay", type=float, default=0, help="round trip in ms")
    parser.add_argument("--certificate", required=True, help="PEM with chain and key")
    options = parser.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.certificate)
    sink = Sink(options.delay / 1000, tls)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=sink.serve, args=(listener,), daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    sys.stdin.read()  # until the bench is done
    listener.close()
    time.sleep(0.1)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "messages": sink.messages,
                "octets": sink.octets,
                "connections": sink.connections,
                "resumed": sink.resumed,
                "early_content": sink.early,
                "moments": list(sink.moments),
                "cpu": usage.ru_utime + usage.ru_stime,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
