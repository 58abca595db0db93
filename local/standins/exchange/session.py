"""An SMTP session: the commands, in the order and with the replies of Exchange Online."""

import re
from typing import TYPE_CHECKING

from local.standins.exchange.authentication import Authentication
from local.standins.exchange.dialogue import Dialogue
from local.standins.exchange.transaction import ADDRESS, SIZE_LIMIT, Transaction

if TYPE_CHECKING:
    from local.standins.exchange.server import Exchange

BEFORE_TLS = "STARTTLS"
AFTER_TLS = "AUTH LOGIN XOAUTH2"
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


class Session(Dialogue):
    """One client's session; strict about order, sync points and syntax."""

    def __init__(self, exchange: "Exchange") -> None:
        super().__init__(exchange)
        self.greeted = False
        self.secure = False
        self._authentication = Authentication(self)

    def dispatch(self, verb: str, line: bytes) -> None:
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

    def _ehlo(self, verb: str, text: str) -> None:
        domain = text[5:].strip()
        if not domain or " " in domain:
            self.refuse("501 5.5.4 Invalid domain name")
            return
        lines = [f"{self.front_end} Hello [127.0.0.1]"]
        if verb == "EHLO":
            middle = AFTER_TLS if self.secure else BEFORE_TLS
            hidden = self.exchange.hidden_extensions
            shown = [name or middle for name in EXTENSIONS]
            lines += [name for name in shown if name.split(" ")[0] not in hidden]
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
        _, mechanism, initial = (text + "  ").split(" ", 2)
        if not self.greeted:
            self.refuse("503 5.5.2 Send hello first")
        elif not self.secure:
            self.refuse("504 5.7.4 Unrecognized authentication type")
        elif self.mailbox is not None:
            self.refuse("503 5.5.2 Already authenticated")
        else:
            self._authentication.begin(mechanism, initial.strip())

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
