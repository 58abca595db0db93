"""Submission of mail to Exchange: verified STARTTLS, XOAUTH2, pipelined and chained transactions.

RFC 6409 (submission), 3207 (STARTTLS), 4954 (AUTH), 2920 (PIPELINING). A session always knows its
phase, so that a break is told apart: harmless, or outcome unknown.
"""

import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.microsoft.connection import Connection, Timeouts
from shared.microsoft.dialogue import Dialogue
from shared.microsoft.smtp import (
    ContentError,
    Envelope,
    Extensions,
    Reply,
    ReplyError,
    address_literal,
    check_line_ends,
    encode_ehlo,
    end_of_content,
    stuff_dots,
)
from shared.microsoft.transaction import (
    LARGEST_GROUP,
    Opening,
    Phase,
    Reason,
    Refusal,
    SubmissionError,
    groups,
    is_hopeless,
    judge,
    plan_opening,
    refuse_content,
)
from shared.microsoft.xoauth2 import ResponseError, encode_response
from shared.secrecy import Secret

__all__ = [
    "Accepted",
    "Phase",
    "Reason",
    "Refusal",
    "Server",
    "Session",
    "SubmissionError",
    "Timeouts",
]

_LAST_WRITE = 15 * 1024
"""Octets of content that go with its end in one write, and so in one TLS record."""

_KEPT_TLS_SESSIONS = 16


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server's acceptance of a message, and the recipients that will not get it."""

    reply: Reply
    refused: tuple[Refusal, ...]


class Server:
    """A submission server. Safe for threads; its sessions are for one thread at a time each.

    *tls* must verify certificates and host names; build one and keep it. *own_name* is said in
    EHLO, by default the address literal of the connection. ValueError for what cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        *,
        timeouts: Timeouts | None = None,
        own_name: str | None = None,
    ) -> None:
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            raise ValueError("the TLS context does not verify the server")
        if own_name is not None:
            encode_ehlo(own_name)
        self._host = host
        self._port = port
        self._tls = tls
        self._timeouts = timeouts or Timeouts()
        self._own_name = own_name
        self._tls_sessions: deque[ssl.SSLSession] = deque(maxlen=_KEPT_TLS_SESSIONS)

    def open(
        self, user: str, access_token: Callable[[], Secret], *, deadline: float | None = None
    ) -> "Session":
        """Connect, start TLS and authenticate as *user*, who signed in for *access_token*.

        The token is asked for when the server is ready for it, so that it can be fetched
        meanwhile; what asking raises passes through. *deadline* (``time.monotonic``) ends every
        wait of the session and can be moved there. Raises SubmissionError with phase CONNECT,
        STARTTLS or AUTH.
        """
        dialogue = self._connect(deadline)
        try:
            offered = self._reach(dialogue)
            self._authenticate(dialogue, offered, user, access_token())
            return Session(dialogue, offered)
        except (OSError, ReplyError) as broken:
            raise dialogue.failure(broken) from broken
        except BaseException:
            dialogue.drop()
            raise

    def _connect(self, deadline: float | None) -> Dialogue:
        try:
            connection = Connection.connect(
                self._host, self._port, timeout=self._timeouts.connect, deadline=deadline
            )
        except TimeoutError as broken:
            raise SubmissionError(Phase.CONNECT, Reason.TIMEOUT) from broken
        except OSError as broken:
            raise SubmissionError(Phase.CONNECT, Reason.UNREACHABLE) from broken
        return Dialogue(connection, self._timeouts)

    def _reach(self, dialogue: Dialogue) -> Extensions:
        """Go as far as the server goes with a stranger; return what it offers under TLS."""
        own_name = self._own_name or address_literal(dialogue.connection.own_address)
        ehlo = encode_ehlo(own_name or "")
        dialogue.require(dialogue.read(), 2)
        self._start_tls(dialogue, Extensions.from_reply(dialogue.require(dialogue.ask(ehlo), 2)))
        dialogue.phase = Phase.AUTH
        return Extensions.from_reply(dialogue.require(dialogue.ask(ehlo), 2))

    def _start_tls(self, dialogue: Dialogue, offered: Extensions) -> None:
        dialogue.phase = Phase.STARTTLS
        if "STARTTLS" not in offered:
            raise SubmissionError(Phase.STARTTLS, Reason.NO_STARTTLS)
        dialogue.require(dialogue.ask(b"STARTTLS\r\n"), 2)
        try:
            tls_session = self._tls_sessions.pop()  # used once each (RFC 8446 appendix C.4)
        except IndexError:
            tls_session = None
        dialogue.connection.start_tls(
            self._tls, self._host, session=tls_session, timeout=self._timeouts.handshake
        )

    def _authenticate(
        self, dialogue: Dialogue, offered: Extensions, user: str, access_token: Secret
    ) -> None:
        """Authenticate in two lines: with a long token one would be longer than a command may."""
        if "XOAUTH2" not in offered.mechanisms:
            raise SubmissionError(Phase.AUTH, Reason.NO_XOAUTH2)
        try:
            response = encode_response(user, access_token)
        except ResponseError:
            raise SubmissionError(Phase.AUTH, Reason.TOKEN) from None
        dialogue.require(dialogue.ask(b"AUTH XOAUTH2\r\n"), 3)
        reply = dialogue.ask(response + b"\r\n")
        if reply.code == 334:  # the error in JSON; the refusal follows an empty answer
            reply = dialogue.ask(b"\r\n")
        dialogue.require(reply, 2)
        if (tls_session := dialogue.connection.tls_session) is not None:
            self._tls_sessions.append(tls_session)


class Session:
    """An authenticated connection that takes one message after the other."""

    def __init__(self, dialogue: Dialogue, offered: Extensions) -> None:
        self._dialogue = dialogue
        self._offered = offered
        self._opening: Opening | None = None  # said to the server, content not yet handed over
        self._refused: tuple[Refusal, ...] | None = None  # set once the server waits for content
        self._reset_due = False

    @property
    def deadline(self) -> float | None:
        """When every wait ends (``time.monotonic``); never, if None."""
        return self._dialogue.connection.deadline

    @deadline.setter
    def deadline(self, deadline: float | None) -> None:
        self._dialogue.connection.deadline = deadline

    @property
    def tls_resumed(self) -> bool:
        """Whether the handshake was a resumption."""
        return self._dialogue.connection.tls_resumed

    def begin(self, envelope: Envelope) -> None:
        """Announce *envelope* (MAIL, RCPT, DATA) and wait until the server asks for the content.

        May be left out. Meanwhile the caller can do what must come before the content leaves.
        Raises SubmissionError with phase MAIL, RCPT or DATA: nothing has been sent.
        """
        self._guard(lambda: self._begin(envelope))

    def submit(
        self, envelope: Envelope, content: bytes, *, then: Envelope | None = None
    ) -> Accepted:
        """Hand over *content* (RFC 5322, CRLF) for the recipients of *envelope*.

        *then* is the envelope of the next message; it is chained behind the content where the
        server takes that (RFC 2920), which spares the next one a round trip. If another message
        is then submitted after all, or the session closed, the announced one never happened, and
        the session is over. Raises SubmissionError.
        """
        if not (envelope.eight_bit or content.isascii()) and self._opening is None:
            envelope = replace(envelope, eight_bit=True)
        self._check(content)
        return self._guard(lambda: self._submit(envelope, content, then))

    def try_sender(self, mail_from: str) -> None:
        """Offer *mail_from* as a sender, and take the offer back (MAIL, RSET).

        Raises SubmissionError; that it does not says little: Exchange may yet refuse the content.
        """
        self._guard(lambda: self._try_sender(mail_from))

    def _try_sender(self, mail_from: str) -> None:
        dialogue = self._dialogue
        dialogue.phase = Phase.MAIL
        envelope = Envelope(mail_from, (mail_from,), 0, smtputf8=not mail_from.isascii())
        mail = plan_opening(envelope, self._offered).commands[0]
        dialogue.require(dialogue.ask(mail.octets), 2)
        dialogue.require(dialogue.ask(b"RSET\r\n"), 2)

    def is_alive(self) -> bool:
        """Tell, without a round trip, whether the next message can be tried on this session."""
        if self._dialogue.is_over:
            return False
        if self._opening is not None and self._refused is None:
            return True  # replies may be on their way
        return self._dialogue.connection.is_quiet()

    def close(self) -> None:
        """Take leave. A message announced but not handed over is dropped, never ended."""
        if not self._dialogue.is_over and self._opening is None:
            with contextlib.suppress(OSError):
                self._dialogue.write(b"QUIT\r\n")
        self._dialogue.drop()

    def _guard[T](self, step: Callable[[], T]) -> T:
        if self._dialogue.is_over:
            raise SubmissionError(Phase.MAIL, Reason.CLOSED)
        try:
            return step()
        except (OSError, ReplyError) as broken:
            raise self._dialogue.failure(broken, self._refused or ()) from broken
        except SubmissionError as error:
            error.session_usable = not self._dialogue.is_over
            raise
        except BaseException:
            self._dialogue.drop()
            raise

    def _check(self, content: bytes) -> None:
        try:
            check_line_ends(content)
        except ContentError as wrong:
            error = refuse_content(str(wrong))
            if self._opening is not None:
                self._dialogue.drop()
            error.session_usable = not self._dialogue.is_over
            raise error from None

    def _submit(self, envelope: Envelope, content: bytes, then: Envelope | None) -> Accepted:
        self._begin(envelope)
        refused = self._refused or ()
        following = self._plan_chained(then)
        self._hand_over(content, following)
        reply = self._dialogue.read(self._dialogue.timeouts.content)
        self._opening, self._refused = following, None
        if reply.code >= 400:
            raise SubmissionError(Phase.CONTENT, Reason.REFUSED, reply=reply, refused=refused)
        if reply.code // 100 != 2:
            raise ReplyError("a reply that content does not have")
        return Accepted(reply, refused)

    def _begin(self, envelope: Envelope) -> None:
        dialogue = self._dialogue
        if self._opening is None:
            dialogue.phase = Phase.MAIL
            self._opening = plan_opening(envelope, self._offered, reset=self._reset_due)
            self._reset_due = False
            replies = self._converse(self._opening)
        elif self._opening.envelope != envelope:
            dialogue.phase = Phase.MAIL
            dialogue.drop()
            raise SubmissionError(Phase.MAIL, Reason.ABANDONED)
        elif self._refused is None:  # it was chained; the replies are still to be read
            replies = [dialogue.read_for(each.phase) for each in self._opening.commands]
        else:  # the caller took its time after begin
            dialogue.phase = Phase.DATA
            dialogue.require_silence(closely=True)
            return
        self._settle(self._opening, replies)

    def _converse(self, opening: Opening) -> list[Reply]:
        replies: list[Reply] = []
        for group in groups(opening, self._offered):
            if is_hopeless(opening, replies):
                break
            self._dialogue.phase = group[0].phase
            self._dialogue.write(b"".join([each.octets for each in group]))
            replies += [self._dialogue.read_for(each.phase) for each in group]
        return replies

    def _settle(self, opening: Opening, replies: list[Reply]) -> None:
        try:
            self._refused = judge(opening, replies)
        except SubmissionError as error:
            self._opening = None
            if len(replies) == len(opening.commands) and replies[-1].code == 354:
                self._end_without_content(error.phase)
            self._reset_due = error.phase is not Phase.MAIL
            raise

    def _end_without_content(self, phase: Phase) -> None:
        """Leave a transaction that asks for content nobody would get (RFC 2920 section 3.1)."""
        if phase is not Phase.RCPT:
            self._dialogue.drop()
            return
        try:
            self._dialogue.ask(b".\r\n")
        except (OSError, ReplyError, SubmissionError):  # the refusal stands all the same
            self._dialogue.drop()

    def _plan_chained(self, then: Envelope | None) -> Opening | None:
        if then is None or "PIPELINING" not in self._offered:
            return None
        try:
            opening = plan_opening(then, self._offered)
        except SubmissionError:
            return None  # said when it is that message's turn
        return opening if len(opening.commands) <= LARGEST_GROUP else None

    def _hand_over(self, content: bytes, following: Opening | None) -> None:
        dialogue, last = self._dialogue, memoryview(b"")
        dialogue.phase = Phase.DATA
        dialogue.require_silence()
        for piece in stuff_dots(content):
            if last:
                dialogue.write(last)
            last = memoryview(piece)
        cut = max(0, len(last) - _LAST_WRITE)
        if cut:
            dialogue.write(last[:cut])
        commands = [each.octets for each in following.commands] if following else []
        dialogue.write_last(b"".join([last[cut:], end_of_content(content), *commands]))
