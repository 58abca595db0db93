"""The AUTH dialogue (RFC 4954): XOAUTH2 in both forms, LOGIN only to be refused."""

from typing import TYPE_CHECKING

from local.standins.exchange import xoauth2
from local.standins.exchange.mailboxes import Mailbox

if TYPE_CHECKING:
    from local.standins.exchange.dialogue import Dialogue


class Authentication:
    """One session's way from AUTH to its mailbox."""

    def __init__(self, session: "Dialogue") -> None:
        self._session = session

    def begin(self, mechanism: str, initial: str) -> None:
        """``AUTH mechanism [initial]``, in a session where it may be said."""
        session = self._session
        if mechanism.upper() == "LOGIN":
            session.send("334 VXNlcm5hbWU6")
            session.answering = self._login_user
        elif mechanism.upper() != "XOAUTH2":
            session.refuse("504 5.7.4 Unrecognized authentication type")
        elif initial:
            self._check(initial.encode())
        else:
            session.send("334 ")
            session.answering = self._xoauth2

    def _login_user(self, _line: bytes) -> None:
        self._session.sync_point()
        self._session.send("334 UGFzc3dvcmQ6")
        self._session.answering = self._login_password

    def _login_password(self, _line: bytes) -> None:
        words = "Authentication unsuccessful, basic authentication is disabled."
        self._session.exchange.violations["basic authentication"] += 1
        self._session.refuse(f"535 5.7.139 {words}")

    def _xoauth2(self, line: bytes) -> None:
        self._session.sync_point()
        if not self._session.has_ended:
            self._check(line)

    def _check(self, line: bytes) -> None:
        session, exchange = self._session, self._session.exchange
        outcome = xoauth2.check(line, exchange)
        if isinstance(outcome, Mailbox):
            words = "235 2.7.0 Authentication successful"
            session.accept("auth", words, lambda: self._own(outcome))
            return
        exchange.counters["authentications refused"] += 1
        if exchange.challenges_failures:
            session.send(f"334 {xoauth2.CHALLENGE}")
            session.answering = lambda line: self._after_challenge(line, outcome)
        else:
            session.refuse(outcome)

    def _after_challenge(self, line: bytes, refusal: str) -> None:
        session = self._session
        session.sync_point()
        if line:
            session.exchange.violations["error challenge not answered with an empty line"] += 1
        session.refuse(refusal)

    def _own(self, mailbox: Mailbox) -> None:
        session, exchange = self._session, self._session.exchange
        session.mailbox = mailbox
        mailbox.sessions.append(session.id)
        exchange.counters["authentications"] += 1
        if len(mailbox.sessions) > exchange.limits.connections:
            exchange.violations["connections per mailbox"] += 1
