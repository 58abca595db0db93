"""The crew: what every drain of a process works with, each named by what a drain needs of it."""

import random
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.accounts.account import Account, Obstacle
from shared.delivery.door import Door
from shared.messages.record import Record
from shared.schedule import Sent
from shared.store.lease import Lease
from shared.store.leases import Busy, Resting
from shared.store.outbox import Entry


class Accounts(Protocol):
    """The accounts as a drain sees and changes them."""

    def get(self, account: str) -> Account | None:
        """Return the account."""

    def note_standing(
        self, lease: Lease, obstacle: Obstacle | None, account: Account, now: datetime
    ) -> Account | None:
        """Note under the lease whether the account can send."""


class Messages(Protocol):
    """The messages that a drain sends."""

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first lines of the outbox."""

    def record(self, account: str, message: str) -> Record | None:
        """Return a record."""

    def content(self, record: Record) -> bytes | None:
        """Return a content."""

    def drop_blob(self, record: Record) -> None:
        """Delete the blob of a finished message."""


class Leases(Protocol):
    """The leases on mailboxes."""

    def acquire(
        self, account: str, now: datetime, wake: Callable[[datetime], object]
    ) -> Lease | Busy | Resting | None:
        """Take the lease, or have the mailbox woken once more by *wake*."""


class Wakeups(Protocol):
    """How a mailbox is woken later."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake *account* then."""


class Tenants(Protocol):
    """Who was told to slow down as a whole."""

    def pause(self, tenant: str, until: datetime, code: str) -> None:
        """Pause every mailbox of *tenant*."""

    def paused_until(self, tenant: str, now: datetime) -> datetime | None:
        """Return until when."""


class Events(Protocol):
    """Who is told of what happened."""

    def message(self, account: Account, record: Record) -> None:
        """Tell what became of a message."""

    def account(self, account: Account) -> None:
        """Tell how an account stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What every drain of this process works with. *instance* names the process."""

    accounts: Accounts
    messages: Messages
    leases: Leases
    wakeups: Wakeups
    tenants: Tenants
    events: Events
    door: Door
    readers: Executor
    clock: Callable[[], datetime]
    instance: str
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.8, 1.2))  # noqa: S311
