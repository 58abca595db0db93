"""The manner of an SMTP session: greeting, replies and their marks, planned faults, patience."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.standins.exchange.connection import Connection
from local.standins.exchange.mailboxes import Mailbox
from local.standins.exchange.transaction import Transaction

if TYPE_CHECKING:
    from local.standins.exchange.server import Exchange

ERROR_LIMIT = 10
SYNC_POINTS = ("EHLO", "HELO", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "AUTH", "STARTTLS", "HELP")


class Dialogue(Connection):
    """Reads commands in order and answers them; a subclass knows what they mean."""

    def __init__(self, exchange: "Exchange") -> None:
        super().__init__()
        self.exchange = exchange
        self.id = secrets.token_hex(8).upper()
        number = secrets.randbelow(9_000) + 1_000
        self.host = f"OL1P279CA{number}.NORP279.PROD.OUTLOOK.COM"
        self.mailbox: Mailbox | None = None
        self.transaction: Transaction | None = None
        self.answering: Callable[[bytes], None] | None = None
        self._errors = 0
        self._ready = False
        self._opened = self.now()
        self._idle, self._total = exchange.idle_seconds, exchange.session_seconds
        self._watching: asyncio.TimerHandle | None = None

    @property
    def front_end(self) -> str:
        """The name this server gives itself in its greeting."""
        return f"{self.host.partition('.')[0]}.outlook.office365.com"

    def dispatch(self, verb: str, line: bytes) -> None:
        raise NotImplementedError

    def opened(self) -> None:
        self.round_trip = self.exchange.round_trip
        self.exchange.sessions.add(self)
        self.exchange.counters["connections"] += 1
        step = self.exchange.script.take("connect", None)
        if step is not None:
            self.pause(None) if step.hang else self.cut()
            return
        stamp = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
        greeting = f"220 {self.front_end} Microsoft ESMTP MAIL Service ready at {stamp}"
        if self.exchange.unavailable:
            greeting = "421 4.3.2 Service not available"
        self.accept("greeting", greeting, self._greet)
        self._watch()

    def closed(self) -> None:
        self.exchange.sessions.discard(self)
        if self._watching is not None:
            self._watching.cancel()
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
        return self.answering is not None or super().long_line_allowed()

    def command(self, line: bytes) -> None:
        if self.answering is not None:
            answering, self.answering = self.answering, None
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
            self.dispatch(verb, line)

    def content(self) -> bool:
        transaction = self.transaction
        return transaction is not None and transaction.take_content()

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
        self.decline(reply)

    def decline(self, reply: str) -> None:
        """Say no to a right command."""
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

    def _greet(self) -> None:
        self._ready = True

    def _watch(self) -> None:
        """End a session that was silent, or lasted, too long; else look again when it could."""
        now = self.now()
        left = min(self.heard + self._idle, self._opened + self._total) - now
        if left > 0:
            self._watching = self.later(left, self._watch)
            return
        minutes, seconds = divmod(int(now - self._opened), 60)
        words = f"Connection timed out. Total session duration: 00:{minutes:02}:{seconds:02}"
        self.send(self._marked(f"421 4.4.1 {words}"))
        self.end()
