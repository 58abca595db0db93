"""What admins, other programs and the network do to Exchange: switches, limits, faults."""

import ssl
from collections import Counter

from local.standins.directory import Directory
from local.standins.exchange.connection import Connection
from local.standins.exchange.mailboxes import Limits, Mailbox, Mailboxes
from local.standins.exchange.script import Script, Step
from local.standins.trust import Trust
from local.standins.verbs import verb

IDLE_SECONDS = 300.0
SESSION_SECONDS = 1_200.0


class Administration:
    """The verbs of Exchange; the listener and the inboxes are in the subclass."""

    def __init__(self, trust: Trust, directory: Directory) -> None:
        self.mailboxes = Mailboxes(directory)
        self.script = Script()
        self.counters: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.sessions: set[Connection] = set()
        self.refused_recipients: dict[str, str] = {}
        self.hidden_extensions: set[str] = set()
        self.round_trip: float = 0
        self.idle_seconds = IDLE_SECONDS
        self.session_seconds = SESSION_SECONDS
        self.challenges_failures = False
        self.unavailable = False
        self._directory = directory
        self._trust = trust
        self._tls = trust.server_context()
        self._stranger: ssl.SSLContext | None = None

    @property
    def limits(self) -> Limits:
        return self.mailboxes.limits

    def tls(self) -> ssl.SSLContext:
        """What TLS shows now."""
        return self._stranger or self._tls

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
    def limit_session(self, idle: float = IDLE_SECONDS, total: float = SESSION_SECONDS) -> None:
        """421 4.4.1 after so many silent seconds, or in all; for sessions opened from now on."""
        self.idle_seconds, self.session_seconds = idle, total

    @verb
    def restore(self) -> None:
        """End every fault; mailboxes, limits and what was delivered stay."""
        self.script.clear()
        self.refused_recipients.clear()
        self.hidden_extensions.clear()
        self.round_trip = 0
        self.challenges_failures = self.unavailable = False
        self._stranger = None
        self.limit_session()

    def _plan(self, step: Step) -> None:
        self.script.add(step)
