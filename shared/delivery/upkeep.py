"""Upkeep: what nobody asks for and must happen all the same, taken from the agenda when due."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.accounts.account import Account, AccountStatus
from shared.errors import ServiceError
from shared.microsoft.token_response import TokenError
from shared.microsoft.tokens import StoredToken
from shared.schedule import Item, Sent, Task
from shared.secrecy import Secret
from shared.store.outbox import Entry

RECORDS_LIVE = timedelta(days=90)
KEYS_LIVE = timedelta(hours=24)
TIDY_AGAIN = timedelta(days=7)
IDLE = timedelta(days=45)
"""A refresh token dies of 90 days' disuse; it is used when half of them have passed."""
BATCH = 500
"""How many items of one task are read in one go."""
SHARE = timedelta(seconds=48)
"""How long one run works on one task; the next run, five minutes after this one, goes on."""

_log = logging.getLogger(__name__)


class Accounts(Protocol):
    """Where accounts are kept."""

    def get(self, account: str) -> Account | None:
        """Return the account."""

    def watch(self, account: str, until: datetime) -> None:
        """Note until when the agenda looks after the mailbox."""

    def remove(self, account: str) -> None:
        """Close a partition."""


class Messages(Protocol):
    """Where messages are kept."""

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first lines of the outbox."""


class Retention(Protocol):
    """What deletes what is past its time."""

    def has_records(self, account: str) -> bool:
        """Tell whether there is any record."""

    def drop_records(self, account: str, before: datetime) -> bool:
        """Delete old records; True when none is left."""

    def drop_keys(self, account: str, before: datetime) -> bool:
        """Delete old keys and flows; True when none is left, young ones included."""

    def purge(self, account: str) -> bool:
        """Delete what a removed account left; True when all is gone."""


class Customers(Protocol):
    """The index of accounts by customer."""

    def remove(self, customer: str, account: str) -> None:
        """Remove one."""


class Agenda(Protocol):
    """What is to be done when."""

    def add(self, task: Task, account: str, at: datetime) -> datetime:
        """Note an item."""

    def due(
        self, task: Task, now: datetime, *, limit: int, after: Item | None = None
    ) -> list[Item]:
        """Return what is due."""

    def done(self, item: Item) -> None:
        """Strike an item out."""


class Wakeups(Protocol):
    """The queue of wake-ups."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake a mailbox."""

    def redrive(self, limit: int = 32) -> list[str]:
        """Send poisoned wake-ups again."""


class Vault(Protocol):
    """Where refresh tokens are."""

    def get_refresh_token(self, account_id: str) -> StoredToken | None:
        """Return an account's refresh token and when it was stored."""

    def forget_refresh_token(self, account_id: str) -> None:
        """Disable and delete one."""


class AccessTokens(Protocol):
    """Who uses refresh tokens."""

    def get(self, account: Account, *, fresh: bool = False) -> Secret:
        """Use one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Does what the agenda says; one failing item does not hold up the rest.

    A million mailboxes ask for dozens of items a second, so *threads* work side by side.
    """

    accounts: Accounts
    messages: Messages
    retention: Retention
    customers: Customers
    agenda: Agenda
    wakeups: Wakeups
    vault: Callable[[], Vault]
    access_tokens: Callable[[], AccessTokens]
    clock: Callable[[], datetime]
    threads: Executor

    def watch_token(self, account: str, stored_at: datetime) -> None:
        """See to it that a refresh token stored *stored_at* is used before it dies of disuse."""
        self.agenda.add(Task.KEEP_ALIVE, account, stored_at + IDLE)

    def run(self) -> dict[Task, int]:
        """Do what is due; return how many items of each task were done."""
        self._redrive()
        return {task: self._run_task(task) for task in Task}

    def _run_task(self, task: Task) -> int:
        now = self.clock()
        done, last = 0, None
        while self.clock() < now + SHARE:
            items = self.agenda.due(task, now, limit=BATCH, after=last)
            done += sum(self.threads.map(self._is_done, items))
            if len(items) < BATCH:
                break
            last = items[-1]
        return done

    def _is_done(self, item: Item) -> bool:
        """Do *item* and strike it out; False when it is to be done once more."""
        try:
            if not self._do(item.task, item.account):
                return False
            self.agenda.done(item)
        except ServiceError as error:
            _log.warning(
                "event=upkeep_failed task=%s account=%s code=%s",
                item.task.value,
                item.account,
                error.code,
            )
            return False
        return True

    def _do(self, task: Task, account: str) -> bool:
        """Do one item; False when it is to be done once more."""
        match task:
            case Task.SWEEP:
                return self._sweep(account)
            case Task.TIDY:
                return self._tidy(account)
            case Task.KEEP_ALIVE:
                return self._keep_alive(account)
            case Task.ABANDON:
                return self._abandon(account)
            case Task.PURGE:
                return self._purge(account)

    def _redrive(self) -> None:
        """Send again what a bug sent to poison: a wake-up is only a reminder to look."""
        for account in self.wakeups.redrive():
            _log.error("event=wakeup_poisoned account=%s", account)

    def _sweep(self, account: str) -> bool:
        """Wake a mailbox whose mail is due, whether or not somebody is on the way."""
        entries = self.messages.outbox(account, 1)
        if not entries:
            return True
        now = self.clock()
        if entries[0].due > now:
            self.agenda.add(Task.SWEEP, account, entries[0].due)
            return True
        self.wakeups.send(account, at=now, now=now)
        self.accounts.watch(account, self.agenda.add(Task.SWEEP, account, now))
        return True

    def _tidy(self, account: str) -> bool:
        """Delete what is past its time, and come back when more will be."""
        now = self.clock()
        if not self.retention.drop_records(account, now - RECORDS_LIVE):
            return False
        if not self.retention.drop_keys(account, now - KEYS_LIVE):
            self.agenda.add(Task.TIDY, account, now + KEYS_LIVE)
        elif self.retention.has_records(account):
            self.agenda.add(Task.TIDY, account, now + TIDY_AGAIN)
        return True

    def _keep_alive(self, account: str) -> bool:
        """Use a refresh token that was stored long ago, which stores its successor."""
        found = self.accounts.get(account)
        if found is None or found.identity is None:
            return True
        now = self.clock()
        stored = self.vault().get_refresh_token(account)
        if stored is None:
            return True
        if stored.written_at + IDLE > now:
            self.watch_token(account, stored.written_at)
            return True
        try:
            self.access_tokens().get(found, fresh=True)
        except TokenError as error:
            _log.warning("event=keep_alive_failed account=%s error=%s", account, error.error)
            self.agenda.add(Task.KEEP_ALIVE, account, now + timedelta(days=1))
            return True
        self.watch_token(account, now)
        return True

    def _abandon(self, account: str) -> bool:
        """Delete an account that nobody ever connected."""
        found = self.accounts.get(account)
        if found is None or found.status is not AccountStatus.PENDING or found.connected_at:
            return True
        self.agenda.add(Task.PURGE, account, self.clock())
        self.accounts.remove(account)
        self.customers.remove(found.customer, account)
        _log.info("event=account_abandoned account=%s", account)
        return True

    def _purge(self, account: str) -> bool:
        """Finish the deletion of an account: its token, and what is left of its partition."""
        self.vault().forget_refresh_token(account)
        return self.retention.purge(account)
