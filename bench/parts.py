"""What the submission module itself does for a message, against a socket that answers at once."""

import time
from collections.abc import Callable, Mapping

from bench.clients.job import TO, USER, Job
from shared.microsoft.connection import Connection, Timeouts
from shared.microsoft.dialogue import Dialogue
from shared.microsoft.smtp import Envelope, Extensions, check_line_ends
from shared.microsoft.submission import Session
from shared.microsoft.transaction import judge, plan_opening

OFFERED = Extensions(frozenset({"SIZE", "PIPELINING", "8BITMIME"}))
ACCEPTED = b"250 2.0.0 OK <id@sink.test> [Hostname=SINK.TEST]\r\n"
OPENED = b"250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 Start mail input\r\n"
ROUNDS, CALLS = 9, 2000


class PromptSocket:
    """Takes everything and has the replies of a burst ready."""

    def __init__(self) -> None:
        self.replies = OPENED

    def gettimeout(self) -> float:
        return 1

    def settimeout(self, seconds: float) -> None:
        """Wait for nothing."""

    def sendall(self, octets: bytes) -> None:
        """Take them."""

    def recv(self, _count: int) -> bytes:
        replies, self.replies = self.replies, ACCEPTED + OPENED
        return replies


def measure() -> Mapping[str, float]:
    """Return microseconds of processor time: the whole, and its largest parts."""
    content = Job(0, "", 0, 10_000).content
    envelope = Envelope(USER, (TO,), len(content))
    opening = plan_opening(envelope, OFFERED)
    session = _session()
    dialogue = _dialogue()
    replies = [dialogue.read() for _ in opening.commands]

    def read() -> None:
        for _ in range(4):
            dialogue.read()

    return {
        "all of it": _cost(lambda: session.submit(envelope, content, then=envelope)),
        "line ends checked": _cost(lambda: check_line_ends(content)),
        "commands planned": _cost(lambda: plan_opening(envelope, OFFERED)),
        "four replies read": _cost(read),
        "and judged": _cost(lambda: judge(opening, replies)),
    }


def _session() -> Session:
    return Session(_dialogue(), OFFERED)


def _dialogue() -> Dialogue:
    return Dialogue(Connection(PromptSocket()), Timeouts())  # type: ignore[arg-type]


def _cost(call: Callable[[], object]) -> float:
    """Return the least of several rounds, since what is added to it is somebody else's."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time_ns() - started) / CALLS / 1000)
    return min(rounds)
