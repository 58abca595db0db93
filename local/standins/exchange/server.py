"""Exchange as a whole: its listener, its mailboxes, and the verbs that change them."""

import ssl
from collections import Counter
from typing import Any, ClassVar, Self

from local.standins.directory import Directory
from local.standins.entra import Entra
from local.standins.entra.tokens import AccessToken
from local.standins.exchange.mailboxes import Delivered, Limits, Mailbox, Mailboxes
from local.standins.exchange.script import Script, Step
from local.standins.exchange.session import Session
from local.standins.listening import Listener
from local.standins.trust import Trust
from local.standins.verbs import verb


class Exchange:
    """smtp.office365.com:587, for the people of the directory and the tokens of *entra*."""

    name: ClassVar[str] = "exchange"

    def __init__(self, trust: Trust, entra: Entra, directory: Directory, port: int = 0) -> None:
        self.mailboxes = Mailboxes(directory)
        self.script = Script()
        self.counters: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.sessions: set[Session] = set()
        self.refused_recipients: dict[str, str] = {}
        self.hidden_extensions: set[str] = set()
        self.round_trip: float = 0
        self.challenges_failures = False
        self.unavailable = False
        self._entra = entra
        self._directory = directory
        self._tls = trust.server_context()
        self._trust = trust
        self._stranger: ssl.SSLContext | None = None
        self._listener = Listener(lambda: Session(self), port)
        self._up = False

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def limits(self) -> Limits:
        return self.mailboxes.limits

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

    def tls(self) -> ssl.SSLContext:
        return self._stranger or self._tls

    def read_token(self, token: str) -> AccessToken | None:
        return self._entra.tokens.read_access_token(token)

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox of *address*, to look at or to change."""
        return self.mailboxes.the(address)

    @verb
    def allow_smtp_auth(self, mailbox: str, allowed: bool | None = True) -> None:  # noqa: FBT001, FBT002
        """Set-CASMailbox -SmtpClientAuthenticationDisabled; None inherits from the tenant."""
        self.mailbox(mailbox).smtp_auth = allowed

    @verb
    def disable_smtp_auth_for_tenant(self, tenant: str, disabled: bool = True) -> None:  # noqa: FBT001, FBT002
        """Set-TransportConfig -SmtpClientAuthenticationDisabled."""
        self._directory.add_tenant(tenant).smtp_auth_disabled = disabled

    @verb
    def grant_send_as(self, user: str, mailbox: str) -> None:
        """Add-RecipientPermission -AccessRights SendAs: *user* may send as *mailbox*."""
        self.mailbox(user).send_as.add(mailbox.lower())

    @verb
    def revoke_send_as(self, user: str, mailbox: str) -> None:
        """Remove-RecipientPermission: 554 5.2.252 after the content."""
        self.mailbox(user).send_as.discard(mailbox.lower())

    @verb
    def add_alias(self, mailbox: str, alias: str) -> None:
        """Another address of the same mailbox."""
        self.mailbox(mailbox).aliases.add(alias.lower())

    @verb
    def license(self, mailbox: str, licensed: bool = True) -> None:  # noqa: FBT001, FBT002
        """An unlicensed mailbox is refused with 535 5.7.3."""
        self.mailbox(mailbox).licensed = licensed

    @verb
    def fill_mailbox(self, mailbox: str, full: bool = True) -> None:  # noqa: FBT001, FBT002
        """554 5.2.2 mailbox full after the content."""
        self.mailbox(mailbox).full = full

    @verb
    def limit_mailbox(
        self, mailbox: str, max_send_size: int | None = None, recipient_limit: int | None = None
    ) -> None:
        """Set-Mailbox -MaxSendSize (octets) and -RecipientLimits."""
        box = self.mailbox(mailbox)
        box.max_send_size = max_send_size or box.max_send_size
        box.recipient_limit = recipient_limit or box.recipient_limit

    @verb
    def enforce_limits(
        self,
        enforced: bool = True,  # noqa: FBT001, FBT002
        messages_per_minute: int = 30,
        connections: int = 3,
        recipients_per_day: int = 10_000,
    ) -> None:
        """The limits per mailbox; not enforced they are only counted, as violations."""
        self.mailboxes.limits = Limits(
            enforced, messages_per_minute, connections, recipients_per_day
        )

    @verb
    def reply_next(
        self, stage: str, reply: str, times: int = 1, mailbox: str | None = None
    ) -> None:
        """Say *reply* instead of the good reply at *stage*; 421 also closes.

        Stages: greeting, ehlo, starttls, auth, mail, rcpt, data, content. Times 0: until restored.
        """
        self._plan(Step(stage, times, mailbox, reply=reply))

    @verb
    def refuse_recipient(
        self, address: str, reply: str = "550 5.1.10 Recipient not found"
    ) -> None:
        """Always refuse *address* at RCPT."""
        self.refused_recipients[address.lower()] = reply

    @verb
    def drop_at(self, stage: str, times: int = 1, mailbox: str | None = None) -> None:
        """Cut the connection where the reply would have been.

        Stages of reply_next, and connect, content-begin, content-half (of SIZE),
        content-end-before-store, content-end-after-store (stored, but no reply).
        """
        self._plan(Step(stage, times, mailbox, cut=True))

    @verb
    def hang_at(self, stage: str, times: int = 1, mailbox: str | None = None) -> None:
        """Say nothing any more; the connection stays open."""
        self._plan(Step(stage, times, mailbox, hang=True))

    @verb
    def delay(
        self, stage: str, seconds: float, times: int = 0, mailbox: str | None = None
    ) -> None:
        """Wait before the usual reply at *stage*, until restored."""
        self._plan(Step(stage, times, mailbox, seconds=seconds))

    @verb
    def set_round_trip(self, seconds: float) -> None:
        """Delay every flight of replies, in sessions opened from now on."""
        self.round_trip = seconds

    @verb
    def challenge_failures(self, on: bool = True) -> None:  # noqa: FBT001, FBT002
        """Refuse AUTH with 334 and an error first, as some servers do, then 535."""
        self.challenges_failures = on

    @verb
    def hide_extension(self, keyword: str) -> None:
        """Leave PIPELINING, STARTTLS, SMTPUTF8 ... out of the EHLO reply."""
        self.hidden_extensions.add(keyword.upper())

    @verb
    def present_certificate(self, kind: str = "stranger") -> None:
        """What TLS shows: ``stranger`` (another CA), ``other-name``, or its ``own`` again."""
        self._stranger = None
        if kind != "own":
            self._stranger = self._trust.wrong_context(kind)

    @verb
    def be_unavailable(self) -> None:
        """Greet with 421 4.3.2 until ``restore``."""
        self.unavailable = True

    @verb
    def close_sessions(self) -> None:
        """Cut every open session, as a front end does when it drains."""
        for session in list(self.sessions):
            session.soon(session.cut)

    @verb
    def keep_content(self, keep: bool = True) -> None:  # noqa: FBT001, FBT002
        """Off: only count what is delivered, for benchmarks."""
        self.mailboxes.keep_content = keep

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
    def restore(self) -> None:
        """End every fault; mailboxes, limits and what was delivered stay."""
        self.script.clear()
        self.refused_recipients.clear()
        self.hidden_extensions.clear()
        self.round_trip = 0
        self.challenges_failures = self.unavailable = False
        self._stranger = None

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

    def _plan(self, step: Step) -> None:
        self.script.add(step)


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
