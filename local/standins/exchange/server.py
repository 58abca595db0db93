"""Exchange as a whole: its listener, and what lies in its inboxes."""

from typing import Any, ClassVar, Self

from local.standins.directory import Directory
from local.standins.entra import Entra
from local.standins.entra.tokens import AccessToken
from local.standins.exchange.administration import Administration
from local.standins.exchange.mailboxes import Delivered
from local.standins.exchange.session import Session
from local.standins.listening import Listener
from local.standins.trust import Trust
from local.standins.verbs import verb


class Exchange(Administration):
    """smtp.office365.com:587, for the people of the directory and the tokens of *entra*."""

    name: ClassVar[str] = "exchange"

    def __init__(self, trust: Trust, entra: Entra, directory: Directory, port: int = 0) -> None:
        super().__init__(trust, directory)
        self._entra = entra
        self._listener = Listener(lambda: Session(self), port)
        self._up = False

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def delivered(self) -> list[Delivered]:
        """Everything that was stored, in order."""
        return list(self.mailboxes.delivered)

    def settings(self) -> dict[str, str]:
        return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.port)}

    def inbox(self, address: str) -> list[Delivered]:
        """What was delivered to *address*."""
        wanted = address.lower()
        return [m for m in self.delivered if wanted in (rcpt.lower() for rcpt in m.rcpt_to)]

    def read_token(self, token: str) -> AccessToken | None:
        return self._entra.tokens.read_access_token(token)

    @verb
    def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        """What was delivered, without the content."""
        found = self.inbox(to) if to else self.delivered
        return [summary(message) for message in found]

    @verb
    def duplicates(self) -> dict[str, int]:
        """Message-IDs that were stored more than once, and how often."""
        return {key: times for key, times in dict(self.mailboxes.seen).items() if times > 1}

    @verb
    def counts(self) -> dict[str, int]:
        """Connections, handshakes, authentications, commands, messages, refusals."""
        return dict(self.counters) | {"stored": self.mailboxes.stored}

    @verb
    def breaches(self) -> dict[str, int]:
        """How often a client broke a rule, by rule."""
        return dict(self.violations)

    @verb
    def reset(self) -> None:
        """Empty inboxes, mailboxes as usual, no faults, no counters."""
        self.restore()
        self.mailboxes.reset()
        self.mailboxes.keep_content = True
        self.counters.clear()
        self.violations.clear()
        for tenant in self._directory.tenants.values():
            tenant.smtp_auth_disabled = False

    @verb
    def up(self) -> None:
        """Listen (again)."""
        if not self._up:
            self._listener.start()
            self._up = True

    @verb
    def down(self) -> None:
        """Refuse connections and cut the open ones, until ``up``; the port stays."""
        if self._up:
            self._up = False
            self._listener.stop()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()


def summary(message: Delivered) -> dict[str, Any]:
    """A delivered message without its content."""
    return {
        "id": message.id,
        "mail_from": message.mail_from,
        "rcpt_to": list(message.rcpt_to),
        "at": message.at.isoformat(),
        "session": message.session,
        "mailbox": message.mailbox,
        "message_id": message.message_id,
        "smtputf8": message.smtputf8,
        "size": len(message.content),
    }
