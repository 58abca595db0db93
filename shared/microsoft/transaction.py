"""One mail transaction as values: the commands that open it, and what their replies come to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shared.microsoft.smtp import (
    CommandError,
    Envelope,
    Extensions,
    Reply,
    ReplyError,
    encode_mail,
    encode_rcpt,
)

LARGEST_GROUP = 100
"""Commands sent before their replies are read; more could fill the buffers of both ends."""


class Phase(StrEnum):
    """Where in a submission something happened.

    CONTENT begins just before the write that holds the content's last octet: a break there
    without a reply leaves the outcome unknown. A break in any phase before it: nothing happened.
    """

    CONNECT = "connect"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"


class Reason(StrEnum):
    """Why a submission ended: REFUSED and UNSENDABLE come with a reply, the others without."""

    REFUSED = "refused"  # by the server's reply
    UNSENDABLE = "unsendable"  # by ourselves, before sending; the reply says why
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    CERTIFICATE = "certificate"
    TLS = "tls"
    PROTOCOL = "protocol"  # the server does not speak SMTP as it should
    NO_STARTTLS = "no-starttls"
    NO_XOAUTH2 = "no-xoauth2"
    TOKEN = "token"  # noqa: S105  the access token cannot be put on the wire
    ABANDONED = "abandoned"  # another message was announced to the server than is now given


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient that will not get the message, and the reply that said so."""

    address: str
    reply: Reply


class SubmissionError(Exception):
    """A submission that ended without the server's acceptance of the content.

    *reply* is the one that ended it, None for a break; *refused* lists the recipients refused so
    far. With *session_usable* the session takes another message. Neither this nor its cause ever
    holds a token.
    """

    def __init__(
        self,
        phase: Phase,
        reason: Reason,
        *,
        reply: Reply | None = None,
        refused: tuple[Refusal, ...] = (),
        session_usable: bool = False,
    ) -> None:
        super().__init__(phase.value, reason.value, reply)
        self.phase = phase
        self.reason = reason
        self.reply = reply
        self.refused = refused
        self.session_usable = session_usable

    @property
    def outcome_unknown(self) -> bool:
        """Whether the message may have been accepted all the same."""
        return self.phase is Phase.CONTENT and self.reply is None


class Command(NamedTuple):
    """One command as it goes over the wire, and the phase its reply belongs to."""

    phase: Phase
    octets: bytes


class Opening(NamedTuple):
    """All commands of *envelope* up to and with DATA; *recipients* are those they name.

    *unsendable* are the recipients that cannot be put into a command. With *reset* the first
    command ends what an earlier transaction left open.
    """

    envelope: Envelope
    commands: tuple[Command, ...]
    recipients: tuple[str, ...]
    unsendable: tuple[Refusal, ...]
    reset: bool


_RESET = Command(Phase.MAIL, b"RSET\r\n")
_DATA = Command(Phase.DATA, b"DATA\r\n")


def plan_opening(envelope: Envelope, offered: Extensions, *, reset: bool = False) -> Opening:
    """Plan the opening of a transaction for *envelope*; raise SubmissionError if none is possible.

    What the server lacks is found here, before anything is sent (RFC 6531 section 3.4).
    """
    if envelope.smtputf8 and "SMTPUTF8" not in offered:
        raise _unsendable(Phase.MAIL, "5.6.7", "the server does not take non-ASCII addresses")
    if envelope.eight_bit and "8BITMIME" not in offered:
        raise _unsendable(Phase.MAIL, "5.6.3", "the server does not take 8-bit content")
    try:
        mail = Command(Phase.MAIL, encode_mail(envelope, offered))
    except CommandError as wrong:
        raise _unsendable(Phase.MAIL, "5.1.7", str(wrong)) from None
    recipients, rcpts, unsendable = [], [], []
    for address in envelope.rcpt_to:
        try:
            rcpts.append(Command(Phase.RCPT, encode_rcpt(address, envelope)))
            recipients.append(address)
        except CommandError as wrong:
            unsendable.append(Refusal(address, _not_sent("5.1.3", str(wrong))))
    if not recipients:
        raise _all_refused(tuple(unsendable), Reason.UNSENDABLE)
    commands = (*((_RESET,) if reset else ()), mail, *rcpts, _DATA)
    return Opening(envelope, commands, tuple(recipients), tuple(unsendable), reset)


def refuse_content(text: str) -> SubmissionError:
    """Return the error for content that is not fit to be handed over."""
    return _unsendable(Phase.DATA, "5.6.11", text)


def groups(opening: Opening, offered: Extensions) -> Iterator[Sequence[Command]]:
    """Yield the commands in the groups they may be sent in (RFC 2920); else one by one."""
    size = LARGEST_GROUP if "PIPELINING" in offered else 1
    for start in range(0, len(opening.commands), size):
        yield opening.commands[start : start + size]


def is_hopeless(opening: Opening, replies: Sequence[Reply]) -> bool:
    """Tell whether the rest of the commands can be spared: nobody will get the message."""
    replies = replies[1:] if opening.reset else replies
    if not replies:
        return False
    rcpts = replies[1 : 1 + len(opening.recipients)]
    nobody = len(rcpts) == len(opening.recipients) and all(_is_refusal(reply) for reply in rcpts)
    return _is_refusal(replies[0]) or nobody


def judge(opening: Opening, replies: Sequence[Reply]) -> tuple[Refusal, ...]:
    """Return who is refused if the server waits for the content now, else raise SubmissionError.

    Raises ReplyError where a reply fits no command; such a session cannot be trusted further.
    """
    replies = replies[1:] if opening.reset else replies
    mail, rcpts, data = replies[0], replies[1 : 1 + len(opening.recipients)], replies[-1]
    if data.code == 354 and all(reply.code == 250 for reply in (mail, *rcpts)):
        return opening.unsendable  # as nearly always
    _expect(mail, 2)
    if _is_refusal(mail):
        raise SubmissionError(Phase.MAIL, Reason.REFUSED, reply=mail)
    for reply in rcpts:
        _expect(reply, 2)
    pairs = zip(opening.recipients, rcpts, strict=True)
    turned = tuple(Refusal(address, reply) for address, reply in pairs if _is_refusal(reply))
    refused = opening.unsendable + turned
    if len(turned) == len(opening.recipients):
        raise _all_refused(refused, Reason.REFUSED)
    _expect(data, 3)
    if _is_refusal(data):
        raise SubmissionError(Phase.DATA, Reason.REFUSED, reply=data, refused=refused)
    return refused


def _is_refusal(reply: Reply) -> bool:
    return reply.code >= 400


def _expect(reply: Reply, first_digit: int) -> None:
    if not _is_refusal(reply) and (reply.code // 100 != first_digit):
        raise ReplyError("a reply that fits no command")
    if first_digit == 3 and not _is_refusal(reply) and reply.code != 354:
        raise ReplyError("a reply that DATA does not have")


def _all_refused(refused: tuple[Refusal, ...], reason: Reason) -> SubmissionError:
    """Let a temporary refusal speak for all: then some recipients are worth another attempt."""
    reply = next((each.reply for each in refused if each.reply.code < 500), None)
    if reply is None and refused:
        reply = refused[0].reply
    reply = reply or _not_sent("5.5.4", "no recipients")
    return SubmissionError(Phase.RCPT, reason, reply=reply, refused=refused)


def _not_sent(enhanced: str, text: str) -> Reply:
    return Reply(550, enhanced, f"Not sent: {text}")


def _unsendable(phase: Phase, enhanced: str, text: str) -> SubmissionError:
    return SubmissionError(phase, Reason.UNSENDABLE, reply=_not_sent(enhanced, text))
