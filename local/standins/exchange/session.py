"""An SMTP session: the commands, in the order and with the replies of Exchange Online."""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.standins.exchange import xoauth2
from local.standins.exchange.connection import Connection
from local.standins.exchange.mailboxes import Mailbox
from local.standins.exchange.transaction import Transaction

if TYPE_CHECKING:
    from local.standins.exchange.server import Exchange

SIZE_LIMIT = 157_286_400
ERROR_LIMIT = 10
IDLE_SECONDS = 300
SYNC_POINTS = ("EHLO", "HELO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "AUTH", "STARTTLS", "HELP")
BEFORE_TLS = ("STARTTLS",)
AFTER_TLS = ("AUTH LOGIN XOAUTH2",)
EXTENSIONS = (
    f"SIZE {SIZE_LIMIT}",
    "PIPELINING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "",  # STARTTLS or AUTH
    "8BITMIME",
    "BINARYMIME",
    "CHUNKING",
    "SMTPUTF8",
)
PATH = re.compile(r"(?i)(?:MAIL FROM|RCPT TO):<([^<>\s]*)>((?: [^\s]+)*)")
ADDRESS = re.compile(r'(?:[^\s@<>()\[\],;:\\"]+|"[^"\r\n]+")@(?:[^\s@<>()\[\],;:\\"]+|\[[^\]]+\])')


class Session(Connection):
    """One client's session; strict about order, sync points and syntax."""

    def __init__(self, exchange: "Exchange") -> None:
        super().__init__()
        self.exchange = exchange
        self.id = secrets.token_hex(8).upper()
        number = secrets.randbelow(9_000) + 1_000
        self.host = f"OL1P279CA{number}.NORP279.PROD.OUTLOOK.COM"
        self.mailbox: Mailbox | None = None
        self.greeted = False
        self.secure = False
        self.transaction: Transaction | None = None
        self._errors = 0
        self._answering: Callable[[bytes], None] | None = None
        self._ready = False

    # What the connection tells -------------------------------------------------------------------

    def opened(self) -> None:
        self.round_trip = self.exchange.round_trip
        self.exchange.sessions.add(self)
        self.exchange.counters["connections"] += 1
        step = self.exchange.script.take("connect", None)
        if step is not None:
            self.pause(None) if step.hang else self.cut()
            return
        stamp = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
        host = f"{self.host.partition('.')[0]}.outlook.office365.com"
        greeting = f"220 {host} Microsoft ESMTP MAIL Service ready at {stamp}"
        if self.exchange.unavailable:
            greeting = "421 4.3.2 Service not available"
        self.accept("greeting", greeting, self._greet)

    def closed(self) -> None:
        self.exchange.sessions.discard(self)
        if self.mailbox is not None and self.id in self.mailbox.sessions:
            self.mailbox.sessions.remove(self.id)

    def breach(self, what: str) -> None:
        self.exchange.violations[what] += 1
        self.buffer.clear()
        self.send(self._marked("503 5.5.1 Bad sequence of commands, the reply was not awaited"))
        self.end()

    def overlong(self) -> None:
        self.exchange.violations["line too long"] += 1
        self.buffer.clear()
        self.send(self._marked("500 5.5.2 Line too long"))
        self.end()

    def long_line_allowed(self) -> bool:
        return self._answering is not None or super().long_line_allowed()

    def command(self, line: bytes) -> None:
        if self._answering is not None:
            answering, self._answering = self._answering, None
            answering(line)
            return
        if not self._ready:
            self.breach("data before the greeting")
            return
        verb = line.split(b" ", 1)[0].decode("ascii", "replace").upper()
        self.exchange.counters[f"command {verb}"] += 1
        if b"\n" in line or b"\r" in line or b"\0" in line:
            self.exchange.violations["bare CR or LF in a command"] += 1
            self.refuse("500 5.5.2 Invalid characters in command")
            return
        if verb in SYNC_POINTS:
            self.sync_point()
        if not self._ended:
            self._dispatch(verb, line)

    def content(self) -> bool:
        transaction = self.transaction
        return transaction is not None and transaction.take_content()

    # Replies -------------------------------------------------------------------------------------

    def accept(self, stage: str, reply: str, effect: Callable[[], None] | None = None) -> None:
        """Answer a right command, unless the script has something else in store."""
        step = self.exchange.script.take(stage, self.mailbox.address if self.mailbox else None)
        if step is None:
            self._answer(reply, effect)
        elif step.cut:
            self.cut()
        elif step.hang:
            self.pause(None)
        elif step.seconds:
            self.pause(step.seconds, lambda: self._answer(step.reply or reply, effect))
        else:
            self._answer(step.reply, effect)

    def refuse(self, reply: str) -> None:
        """Answer a wrong command; ten of them end the session."""
        self._errors += 1
        if self._errors > ERROR_LIMIT:
            self.exchange.violations["too many errors"] += 1
            words = f"Too many protocol errors ({self._errors}) on this connection"
            self.send(self._marked(f"421 4.7.0 {words}, closing transmission channel"))
            self.end()
            return
        self._answer(reply, None)

    def _answer(self, reply: str, effect: Callable[[], None] | None) -> None:
        good = reply[:1] in ("2", "3")
        self.send(reply if good else self._marked(reply))
        if not good:
            self.exchange.counters[f"reply {reply[:3]}"] += 1
        elif effect is not None:
            effect()
        if reply.startswith("421"):
            self.end()

    def _marked(self, reply: str) -> str:
        """*reply* with the diagnostic suffix every refusal of Exchange carries."""
        if reply.endswith("]") or "\n" in reply:
            return reply
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f"{reply} [{self.host} {stamp} {self.id}]"

    # Commands ------------------------------------------------------------------------------------

    def _dispatch(self, verb: str, line: bytes) -> None:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self.refuse("501 5.5.4 Invalid arguments")
            return
        match verb:
            case "EHLO" | "HELO":
                self._ehlo(verb, text)
            case "STARTTLS":
                self._starttls(text)
            case "AUTH":
                self._auth(text)
            case "MAIL" | "RCPT" | "DATA":
                self._envelope(verb, text)
            case "BDAT":
                self.refuse("503 5.5.1 BDAT is not taken by this stand-in, use DATA")
            case _:
                self._rest(verb)

    def _rest(self, verb: str) -> None:
        match verb:
            case "RSET":
                self.transaction = None
                self.send("250 2.0.0 Resetting")
            case "NOOP":
                self.send("250 2.0.0 OK")
            case "QUIT":
                self.send("221 2.0.0 Service closing transmission channel")
                self.end()
            case "VRFY":
                self.send("252 2.1.5 Cannot VRFY user")
            case "HELP":
                self.send("214 This server supports the following commands: HELO EHLO STARTTLS")
            case _:
                self.refuse(f"500 5.3.3 Unrecognized command {verb[:40]!r}")

    def _greet(self) -> None:
        self._ready = True

    def _ehlo(self, verb: str, text: str) -> None:
        domain = text[5:].strip()
        if not domain or " " in domain:
            self.refuse("501 5.5.4 Invalid domain name")
            return
        host = f"{self.host.partition('.')[0]}.outlook.office365.com"
        lines = [f"{host} Hello [127.0.0.1]"]
        if verb == "EHLO":
            middle = AFTER_TLS if self.secure else BEFORE_TLS
            shown = [e for name in EXTENSIONS for e in ((name,) if name else middle)]
            hidden = self.exchange.hidden_extensions
            lines += [e for e in shown if e.split(" ")[0] not in hidden]
        joined = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        self.accept("ehlo", "\r\n".join(joined), self._begin)

    def _begin(self) -> None:
        self.greeted = True
        self.transaction = None

    def _starttls(self, text: str) -> None:
        if self.secure or "STARTTLS" in self.exchange.hidden_extensions:
            self.refuse("500 5.3.3 Unrecognized command 'STARTTLS'")
        elif text.upper() != "STARTTLS":
            self.refuse("501 5.5.4 Invalid arguments")
        elif not self.greeted:
            self.refuse("503 5.5.2 Send hello first")
        else:
            self.accept("starttls", "220 2.0.0 SMTP server ready", self._upgrade)

    def _upgrade(self) -> None:
        self.start_tls(self.exchange.tls(), self._secured)

    def _secured(self) -> None:
        """Everything said before is forgotten (RFC 3207 section 4.2)."""
        self.secure = True
        self.greeted = False
        self.transaction = None
        self.exchange.counters["handshakes"] += 1

    def _auth(self, text: str) -> None:
        _, _, rest = text.partition(" ")
        mechanism, _, initial = rest.partition(" ")
        if not self.greeted:
            self.refuse("503 5.5.2 Send hello first")
        elif not self.secure:
            self.refuse("504 5.7.4 Unrecognized authentication type")
        elif self.mailbox is not None or self.transaction is not None:
            self.refuse("503 5.5.2 Already authenticated")
        elif mechanism.upper() == "LOGIN":
            self.send("334 VXNlcm5hbWU6")
            self._answering = self._login_user
        elif mechanism.upper() != "XOAUTH2":
            self.refuse("504 5.7.4 Unrecognized authentication type")
        elif initial:
            self._xoauth2(initial.encode())
        else:
            self.send("334 ")
            self._answering = self._xoauth2

    def _login_user(self, _line: bytes) -> None:
        self.sync_point()
        self.send("334 UGFzc3dvcmQ6")
        self._answering = self._login_password

    def _login_password(self, _line: bytes) -> None:
        self.exchange.violations["basic authentication"] += 1
        self.refuse("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.")

    def _xoauth2(self, line: bytes) -> None:
        self.sync_point()
        if self._ended:
            return
        outcome = xoauth2.check(line, self.exchange)
        if isinstance(outcome, Mailbox):
            self.accept("auth", "235 2.7.0 Authentication successful", lambda: self._own(outcome))
            return
        self.exchange.counters["authentications refused"] += 1
        if self.exchange.challenges_failures and outcome.startswith("535"):
            self.send(f"334 {xoauth2.CHALLENGE}")
            self._answering = lambda line: self._after_challenge(line, outcome)
        else:
            self.refuse(outcome)

    def _after_challenge(self, line: bytes, refusal: str) -> None:
        self.sync_point()
        if line:
            self.exchange.violations["error challenge not answered with an empty line"] += 1
        self.refuse(refusal)

    def _own(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        mailbox.sessions.append(self.id)
        self.exchange.counters["authentications"] += 1
        if len(mailbox.sessions) > self.exchange.limits.connections:
            self.exchange.violations["connections per mailbox"] += 1

    def _envelope(self, verb: str, text: str) -> None:
        if not self.greeted:
            self.refuse("503 5.5.2 Send hello first")
        elif not self.secure:
            self.refuse("451 5.7.3 STARTTLS is required to send mail")
        elif self.mailbox is None:
            self.refuse("530 5.7.57 Client not authenticated to send mail.")
        elif verb == "MAIL":
            self._mail(text)
        elif self.transaction is None:
            self.refuse("503 5.5.2 Need mail command")
        elif verb == "RCPT":
            self._rcpt(text, self.transaction)
        else:
            self._data(text, self.transaction)

    def _mail(self, text: str) -> None:
        found = PATH.fullmatch(text)
        if found is None:
            self.refuse("501 5.5.4 Invalid arguments")
            return
        if self.transaction is not None:
            self.refuse("503 5.5.2 Sender already specified")
            return
        address, parameters = found[1], found[2].split()
        if address and not ADDRESS.fullmatch(address):
            self.refuse("501 5.1.7 Invalid address")
            return
        transaction = Transaction(self, address)
        problem = transaction.set_parameters(parameters)
        if problem:
            self.refuse(problem)
            return
        self.accept("mail", "250 2.1.0 Sender OK", lambda: self._open(transaction))

    def _open(self, transaction: Transaction) -> None:
        self.transaction = transaction

    def _rcpt(self, text: str, transaction: Transaction) -> None:
        found = PATH.fullmatch(text)
        if found is None:
            self.refuse("501 5.5.4 Invalid arguments")
            return
        problem = transaction.refuse_recipient(found[1], found[2].split())
        if problem:
            self.refuse(problem)
            return
        self.accept("rcpt", "250 2.1.5 Recipient OK", lambda: transaction.rcpt_to.append(found[1]))

    def _data(self, text: str, transaction: Transaction) -> None:
        if text.upper() != "DATA":
            self.refuse("501 5.5.4 Invalid arguments")
        elif not transaction.rcpt_to:
            self.transaction = None
            self.refuse("503 5.5.2 Need rcpt command")
        else:
            self.accept("data", "354 Start mail input; end with <CRLF>.<CRLF>", self._take)

    def _take(self) -> None:
        self.reading_content = True
