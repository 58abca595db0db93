"""A world of its own for one mailbox: storage account, stand-ins, hosts, and a look at it all."""

import email
import email.policy
import json
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from azure.data.tables import TableClient
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from local.azurite import ACCOUNT, Azurite
from local.host.process import HostProcess, start
from local.standins import Stack
from local.standins.entra.grants import Grant
from shared.accounts.account import REQUESTED_SCOPE, Account, AccountStatus, Identity
from shared.identifiers import new_identifier
from shared.messages.accept import Intake
from shared.messages.draft import Draft, Sender
from shared.messages.record import Record
from shared.messages.request import draft_from_json
from shared.schedule import Sent
from shared.store.accounts import Accounts
from shared.store.agenda import Agenda
from shared.store.content import Contents
from shared.store.leases import Leases
from shared.store.messages import CONTENT_IN_PARTITION, Messages
from shared.store.table import Table
from shared.store.wakeups import Wakeups
from tests.breaking.storage_front import StorageFront
from tests.client import FRONTEND, Api

CUSTOMER = "firma"
USERNAME = "kari@firma.no"
PARTS = ("entra", "key_vault", "identity", "exchange", "issuer")
EIGHT_DAYS = 8 * 86_400
"""A refresh token stored longer ago than a week is written back when it is used."""
QUEUE_VISIBILITY = 10
"""Seconds after which a dead host's wake-up is seen again; on Azure it is ten minutes."""
STARTING = threading.Semaphore(2)
"""A start is all computing; more of them at once than processors would only slow each other."""
ABANDONED = threading.Event()
"""No host is started any more."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to see: every record, the subjects Exchange took, and what still waits."""

    records: list[Record]
    delivered: list[str]
    waiting: int
    wakeups: int
    poisoned: int


class World:
    """A connected account of one customer, in the storage account *name* of *azurite*.

    The account was connected eight days ago: no process knows a token of it yet, and the first
    one to use the refresh token writes its successor back.
    """

    def __init__(self, azurite: Azurite, name: str) -> None:
        self._azurite = azurite
        self._name = name
        self._open = ExitStack()
        self.hosts: list[HostProcess] = []
        self.stack = self._open.enter_context(Stack(only=PARTS))
        text = _direct(azurite, name)
        self._tables = {
            table: self._open.enter_context(TableClient.from_connection_string(text, table))
            for table in ("mailboxes", "upkeep")
        }
        self._queue, self._poison = (
            self._open.enter_context(QueueClient.from_connection_string(text, queue))
            for queue in ("wakeups", "wakeups-poison")
        )
        container = ContainerClient.from_connection_string(text, "content")
        contents = Contents(self._open.enter_context(container))
        table = Table(self._tables["mailboxes"])
        self._accounts = Accounts(table, Leases(table))
        self._messages = Messages(table, lambda: contents)
        self.wakeups = Wakeups(self._queue, self._poison)
        self.account = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End every host, then the servers."""
        for host in self.hosts:
            host.kill()
        self._open.close()

    def abandon(self) -> None:
        """End every host at once, with nothing put in order but the files."""
        for host in self.hosts:
            host.process.kill()
        self.stack.trust.close()

    def front(self) -> StorageFront:
        """One more way to the storage account, so that each host's calls are told apart."""
        return self._open.enter_context(StorageFront(self._azurite, account=self._name))

    def start(self, front: StorageFront) -> HostProcess:
        """Start a host that reaches storage by *front*."""
        settings = self.stack.settings() | {
            "PUBLIC_URL": "http://localhost:7071",
            "ALLOWED_ORIGINS": FRONTEND,
            "AzureWebJobsStorage": front.connection_string,
        }
        with STARTING:
            if ABANDONED.is_set():
                raise RuntimeError("abandoned")
            host = start(settings, options=("--queue-visibility", str(QUEUE_VISIBILITY)))
            self.hosts.append(host)
        return host

    def api(self, host: HostProcess) -> Api:
        """The customer's way to *host*."""
        return Api(host.url, self.stack, self.stack.issuer.mint, CUSTOMER)

    def post(self, count: int, on_uncertain: str = "hold") -> list[str]:
        """Accept *count* messages in this process, to be found by whoever wakes up; their ids."""
        intake = Intake(
            messages=self._messages,
            agenda=Agenda(Table(self._tables["upkeep"])),
            wakeups=Nobody(),
            largest_in_partition=CONTENT_IN_PARTITION,
            clock=_now,
        )
        found = []
        for n in range(count):
            body = json.dumps(letter(n, on_uncertain=on_uncertain)).encode()

            def compose(sender: Sender, message_id: str, body: bytes = body) -> Draft:
                return draft_from_json(body, sender=sender, message_id=message_id, now=_now())

            watched = self._accounts.watched(self.account.id)
            assert watched
            found.append(intake.accept(watched, compose).record.id)
            time.sleep(0.002)  # the outbox is ordered by the millisecond
        return found

    def wake(self, times: int = 1) -> None:
        """Queue that many wake-ups."""
        for _ in range(times):
            self.wakeups.send(self.account.id, at=_now(), now=_now())

    def is_still(self) -> bool:
        """Whether nothing waits in the outbox."""
        return not self._messages.outbox(self.account.id, 1)

    def look(self) -> Sight:
        """See how everything stands."""
        return Sight(
            self._messages.records(self.account.id, after="", limit=100)[::-1],
            [_subject(one.content) for one in self.stack.exchange.delivered],
            self._messages.waiting(self.account.id),
            len(self._queue.peek_messages(32)),
            self.wakeups.count_poisoned(),
        )

    def _connect(self) -> Account:
        person = self.stack.directory.the(USERNAME)
        person.consent |= set(REQUESTED_SCOPE)
        now = _now()
        grant = Grant(person, frozenset(REQUESTED_SCOPE), mfa=False, issued_at=now)
        account = Account(
            id=new_identifier(now),
            customer=CUSTOMER,
            username=USERNAME,
            address=USERNAME,
            display_name=None,
            status=AccountStatus.CONNECTED,
            scope=REQUESTED_SCOPE,
            generation=new_identifier(now),
            created_at=now,
            connected_at=now,
            identity=Identity(
                tenant_id=person.tenant.id, object_id=person.object_id, username=USERNAME
            ),
        )
        token = {"value": self.stack.entra.grants.new_refresh_token(grant)}
        _, version = self.stack.key_vault.secrets.put(f"refresh-token-{account.id}", token)
        version.created = version.updated = version.created - EIGHT_DAYS
        self._accounts.create(account)
        return account


class Nobody:
    """Wakes nobody."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:  # noqa: ARG002
        return Sent("", "")


def letter(n: int, **members: object) -> dict[str, object]:
    """The body of a message whose subject tells its place."""
    return {"to": ["ola@kunde.no"], "subject": f"nr {n}", "text": "Hei"} | members


def _direct(azurite: Azurite, name: str) -> str:
    """The connection string of the storage account *name*, past every front."""
    return azurite.connection_string.replace(ACCOUNT, name)


def _subject(content: bytes) -> str:
    return str(email.message_from_bytes(content, policy=email.policy.default)["subject"])


def _now() -> datetime:
    return datetime.now(UTC)
