"""A post office for tests: the product's wiring against the stand-ins, with a clock to turn."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from local.standins import Stack
from shared import wiring
from shared.accounts.account import Account
from shared.connecting import ticket
from shared.delivery.crew import Crew
from shared.delivery.drain import drain
from shared.messages.accept import Accepted, Intake, Key
from shared.messages.draft import Draft, Sender
from shared.messages.record import Record
from shared.messages.request import draft_from_json
from shared.microsoft.tokens import AccessTokens
from shared.schedule import Item, Sent, Task
from shared.store.accounts import Accounts
from shared.store.agenda import Agenda
from shared.store.leases import Leases
from shared.store.messages import CONTENT_IN_PARTITION, Messages
from shared.store.table import Table


class Clock:
    """The time, which a test may turn forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def turn(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Asker:
    customer: str
    user: str | None = "Kari"


@dataclass(frozen=True, slots=True)
class Share:
    """The agenda as far as it is about *accounts*."""

    agenda: Agenda
    accounts: set[str]

    def add(self, task: Task, account: str, at: datetime) -> datetime:
        return self.agenda.add(task, account, at)

    def due(
        self, task: Task, now: datetime, *, limit: int, after: Item | None = None
    ) -> list[Item]:
        due = self.agenda.due(task, now, limit=50_000, after=after)
        return [item for item in due if item.account in self.accounts][:limit]

    def done(self, item: Item) -> None:
        self.agenda.done(item)


@dataclass(slots=True)
class PostOffice:
    """Accounts, messages and drains without HTTP in between; wake-ups are kept, not followed."""

    stack: Stack
    customer: str
    clock: Clock = field(default_factory=Clock)
    woken: list[tuple[str, datetime]] = field(default_factory=list)
    crew: Crew = field(init=False)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.crew = replace(wiring.crew(), clock=self.clock, wakeups=self, jitter=lambda: 1.0)
        self.intake = Intake(
            messages=wiring.messages(),
            agenda=wiring.agenda(),
            wakeups=self,
            largest_in_partition=CONTENT_IN_PARTITION,
            clock=self.clock,
        )

    def crew_at(self, table: Table) -> Crew:
        """The same crew, with *table* between it and the store."""
        leases = Leases(table)
        return replace(
            self.crew,
            accounts=Accounts(table, leases),
            messages=Messages(table, wiring.contents),
            leases=leases,
        )

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:  # noqa: ARG002
        """Remember a wake-up instead of queueing it."""
        self.woken.append((account, at))
        return Sent("", "")

    def open_account(self, username: str | None = None, **members: object) -> Account:
        """An account, connected at Microsoft by its owner."""
        name = username or f"kari-{secrets.token_hex(2)}@{self.customer}.no"
        if self.stack.directory.person(name) is None:
            self.stack.entra.add_user(name)
        body = {"type": "office365", "username": name, **members}
        account = wiring.register().draft(self.customer, body, self.clock())
        wiring.register().open(account)
        return self.connect(account)

    def connect(self, account: Account) -> Account:
        """Connect *account* as its owner would, and return it as it then is.

        Microsoft's clock is not turned, so this happens by the real one.
        """
        now = datetime.now(UTC)
        url, _ = ticket.issue(
            account,
            Asker(self.customer),
            seal=wiring.seal(),
            public_url=wiring.config().public_url,
            now=now,
        )
        text = dict(parse_qsl(urlsplit(url.reveal()).query))["ticket"]
        departure = wiring.connecting().depart(*wiring.connecting().admit(text, now), now)
        back = self.stack.entra.sign_in(departure.location, as_=account.username)
        query = dict(parse_qsl(urlsplit(back).query))
        cookies = {departure.cookie_name: departure.cookie.reveal()}
        wiring.connecting().arrive(query, cookies, now)
        wiring.leases().rouse(account.id, self.clock())
        return self.account(account)

    def account(self, account: Account) -> Account:
        """The account as it is now."""
        found = wiring.accounts().get(account.id)
        assert found is not None
        return found

    def post(
        self,
        account: Account,
        subject: str = "Faktura",
        *,
        key: Key | None = None,
        **members: object,
    ) -> Record:
        """Accept a message of *account*."""
        return self.accept(account, subject, key=key, **members).record

    def accept(
        self, account: Account, subject: str, *, key: Key | None = None, **members: object
    ) -> Accepted:
        """Accept a message and tell whether it was a replay."""
        return self.intake.accept(
            wiring.register().find_watched(self.customer, account.id),
            self.composing(subject, **members),
            key,
        )

    def composing(self, subject: str, **members: object) -> Callable[[Sender, str], Draft]:
        import json

        asked = {"to": ["ola@kunde.no"], "subject": subject, "text": "Hei", **members}

        def compose(sender: Sender, message_id: str) -> Draft:
            return draft_from_json(
                json.dumps(asked, default=str).encode(),
                sender=sender,
                message_id=message_id,
                now=self.clock(),
            )

        return compose

    def keep_up(self, *accounts: Account) -> None:
        """Let upkeep do what is due for *accounts*, and leave what is other tests' alone."""
        tokens = AccessTokens(
            refresh_tokens=wiring.vault(), endpoint=wiring.entra(), clock=self.clock
        )
        upkeep = replace(
            wiring.upkeep(),
            agenda=Share(wiring.agenda(), {one.id for one in accounts}),
            wakeups=self,
            access_tokens=lambda: tokens,
            clock=self.clock,
        )
        upkeep.run()

    def redrive(self, limit: int = 32) -> list[str]:  # noqa: ARG002
        """Nothing was poisoned here."""
        return []

    def drain(self, account: Account) -> None:
        """Drain the mailbox once."""
        drain(self.crew, account.id)

    def drain_at_once(self, account: Account, times: int) -> None:
        """Drain the mailbox by several threads at the same time."""
        threads = [threading.Thread(target=self.drain, args=(account,)) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def record(self, record: Record) -> Record:
        """The record as it is now."""
        found = wiring.messages().record(record.account_id, record.id)
        assert found is not None
        return found

    def subjects(self, account: Account) -> list[str]:
        """The subjects of what Exchange took from *account*, in order."""
        import email
        import email.policy

        return [
            str(email.message_from_bytes(one.content, policy=email.policy.default)["subject"])
            for one in self.stack.exchange.delivered
            if one.mail_from == account.address
        ]

    def copies(self, account: Account) -> list[tuple[str, str]]:
        """Who got what of what Exchange took from *account*: subject and recipient, in order."""
        mine = [one for one in self.stack.exchange.delivered if one.mail_from == account.address]
        pairs = zip(self.subjects(account), mine, strict=True)
        return [(subject, to) for subject, one in pairs for to in one.rcpt_to]
