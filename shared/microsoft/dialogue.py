"""Octets and replies over one connection, with the phase they belong to."""

import ssl

from shared.microsoft.connection import Connection, Timeouts
from shared.microsoft.smtp import Reply, ReplyError
from shared.microsoft.transaction import Phase, Reason, Refusal, SubmissionError

_LAST_WORDS = 1.0
"""Seconds to look for a reply that explains why nothing more can be written."""


class Dialogue:
    """One conversation. OSError and ReplyError are breaks, which ``failure`` puts into words."""

    def __init__(self, connection: Connection, timeouts: Timeouts) -> None:
        self.connection = connection
        self.timeouts = timeouts
        self.phase = Phase.CONNECT
        self.is_over = False

    def ask(self, octets: bytes) -> Reply:
        """Write *octets* and return the reply."""
        self.write(octets)
        return self.read()

    def write(self, octets: bytes | memoryview) -> None:
        """Write what can be said again elsewhere; prefer the server's reason if it hung up."""
        self.connection.wait_at_most(self.timeouts.write)
        try:
            self.connection.send(octets)
        except TimeoutError:
            raise
        except OSError as broken:
            self._raise_last_words(broken)

    def write_last(self, octets: bytes) -> None:
        """Write what ends the content: from here on a break leaves the outcome unknown.

        Where the server hangs up meanwhile, the reply that is read next says more than the write.
        It may take as long as that reply: to end too early would cost certainty.
        """
        self.connection.wait_at_most(self.timeouts.content)
        self.phase = Phase.CONTENT
        try:
            self.connection.send(octets)
        except TimeoutError:
            raise
        except OSError:
            self.timeouts = Timeouts(command=_LAST_WORDS, content=_LAST_WORDS)

    def read(self, timeout: float | None = None) -> Reply:
        """Return the next reply; 421 is the server's farewell, whatever was asked."""
        reply = self.connection.read_reply(timeout=timeout or self.timeouts.command)
        if reply.code == 421:
            self.drop()
            raise SubmissionError(self.phase, Reason.REFUSED, reply=reply)
        return reply

    def read_for(self, phase: Phase) -> Reply:
        """Return the next reply, which belongs to *phase*."""
        self.phase = phase
        return self.read()

    def require(self, reply: Reply, first_digit: int) -> Reply:
        """Return *reply* if it is of that class; raise SubmissionError if it is a refusal."""
        if reply.code >= 400:
            raise SubmissionError(self.phase, Reason.REFUSED, reply=reply)
        if reply.code // 100 != first_digit:
            raise ReplyError("a reply that fits no command")
        return reply

    def require_silence(self, *, closely: bool = False) -> None:
        """Make sure that the reply to the content can only be one said after the content.

        *closely* also looks at what has reached this machine and not yet this process.
        """
        if self.connection.has_unread or (closely and not self.connection.is_quiet()):
            self.read()
            raise ReplyError("the server spoke out of turn")

    def failure(self, broken: Exception, refused: tuple[Refusal, ...] = ()) -> SubmissionError:
        """Hang up and return what *broken* means in this phase."""
        self.drop()
        return SubmissionError(self.phase, _reason(broken), refused=refused)

    def drop(self) -> None:
        """Hang up without a word."""
        self.is_over = True
        self.connection.close()

    def _raise_last_words(self, broken: OSError) -> None:
        try:
            reply = self.read(_LAST_WORDS)
        except (OSError, ReplyError):
            raise broken from None
        self.require(reply, 0)


_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (TimeoutError, Reason.TIMEOUT),
    (ReplyError, Reason.PROTOCOL),
    (ssl.SSLCertVerificationError, Reason.CERTIFICATE),
    (ssl.SSLEOFError, Reason.CLOSED),
    (ssl.SSLError, Reason.TLS),
)


def _reason(broken: Exception) -> Reason:
    return next((reason for kind, reason in _REASONS if isinstance(broken, kind)), Reason.CLOSED)
