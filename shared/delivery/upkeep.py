"""Upkeep: what nobody asks for and must happen all the same, taken from the agenda when due."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from shared.accounts.account import Account, AccountStatus
from shared.errors import ServiceError
from shared.microsoft.token_response import TokenError
from shared.microsoft.tokens import StoredToken
from shared.schedule import Item, Sent, Task
from shared.secrecy import Secret
from shared.store.lease import Entry

RECORDS_LIVE = timedelta(days=90)
KEYS_LIVE = timedelta(hours=24)
TIDY_AGAIN = timedelta(days=7)
IDLE = timedelta(days=45)
"""A refresh token dies of 90 days' disuse; it is used when half of them have passed."""
BATCH = 500
"""How many items of one task are done in one go; the next run takes the rest."""

_log = logging.getLogger(__name__)


class Mailboxes(Protocol):
    """What upkeep needs of the mailbox store."""

    def get(self, account: str) -> Account | None:
        """Return the account."""

    def outbox(self, account: str, limit: int) -> list[Entry]:
        """Return the first lines of the outbox."""

    def watch(self, account: str, until: datetime) -> None:
        """Note until when the agenda looks after the mailbox."""

    def has_records(self, account: str) -> bool:
        """Tell whether there is any record."""

    def tidy(self, account: str, *, records_before: datetime, keys_before: datetime) -> bool:
        """Delete what is past its time; True when keys or flows are left."""

    def remove(self, account: str) -> None:
        """Close a partition."""

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

    def due(self, task: Task, now: datetime, *, limit: int) -> list[Item]:
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


class Upkeep:
    """Does what the agenda says, a batch at a time; one failing item does not hold up the rest."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        customers: Customers,
        agenda: Agenda,
        wakeups: Wakeups,
        vault: Callable[[], Vault],
        access_tokens: Callable[[], AccessTokens],
        clock: Callable[[], datetime],
    ) -> None:
        self._mailboxes = mailboxes
        self._customers = customers
        self._agenda = agenda
        self._wakeups = wakeups
        self._vault = vault
        self._access_tokens = access_tokens
        self._clock = clock
        self._work: dict[Task, Callable[[str], bool]] = {
            Task.SWEEP: self._sweep,
            Task.TIDY: self._tidy,
            Task.KEEP_ALIVE: self._keep_alive,
            Task.ABANDON: self._abandon,
            Task.PURGE: self._purge,
        }

    def watch_token(self, account: str, stored_at: datetime) -> None:
        """See to it that a refresh token stored *stored_at* is used before it dies of disuse."""
        self._agenda.add(Task.KEEP_ALIVE, account, stored_at + IDLE)

    def run(self) -> dict[Task, int]:
        """Do what is due; return how many items of each task were done."""
        self._redrive()
        return {task: self._run_task(task) for task in Task}

    def _run_task(self, task: Task) -> int:
        done = 0
        for item in self._agenda.due(task, self._clock(), limit=BATCH):
            try:
                if self._work[task](item.account):
                    self._agenda.done(item)
                    done += 1
            except ServiceError as error:
                _log.warning(
                    "event=upkeep_failed task=%s account=%s code=%s",
                    task.value,
                    item.account,
                    error.code,
                )
        return done

    def _redrive(self) -> None:
        """Send again what a bug sent to poison: a wake-up is only a reminder to look."""
        for account in self._wakeups.redrive():
            _log.error("event=wakeup_poisoned account=%s", account)

    def _sweep(self, account: str) -> bool:
        """Wake a mailbox whose mail is due, whether or not somebody is on the way."""
        entries = self._mailboxes.outbox(account, 1)
        if not entries:
            return True
        now = self._clock()
        if entries[0].due > now:
            self._agenda.add(Task.SWEEP, account, entries[0].due)
            return True
        self._wakeups.send(account, at=now, now=now)
        self._mailboxes.watch(account, self._agenda.add(Task.SWEEP, account, now))
        return True

    def _tidy(self, account: str) -> bool:
        """Delete what is past its time, and come back when more will be."""
        now = self._clock()
        keys_left = self._mailboxes.tidy(
            account, records_before=now - RECORDS_LIVE, keys_before=now - KEYS_LIVE
        )
        if keys_left:
            self._agenda.add(Task.TIDY, account, now + KEYS_LIVE)
        elif self._mailboxes.has_records(account):
            self._agenda.add(Task.TIDY, account, now + TIDY_AGAIN)
        return True

    def _keep_alive(self, account: str) -> bool:
        """Use a refresh token that was stored long ago, which stores its successor."""
        found = self._mailboxes.get(account)
        if found is None or found.identity is None:
            return True
        now = self._clock()
        stored = self._vault().get_refresh_token(account)
        if stored is None:
            return True
        if stored.written_at + IDLE > now:
            self.watch_token(account, stored.written_at)
            return True
        try:
            self._access_tokens().get(found, fresh=True)
        except TokenError as error:
            _log.warning("event=keep_alive_failed account=%s error=%s", account, error.error)
            self._agenda.add(Task.KEEP_ALIVE, account, now + timedelta(days=1))
            return True
        self.watch_token(account, now)
        return True

    def _abandon(self, account: str) -> bool:
        """Delete an account that nobody ever connected."""
        found = self._mailboxes.get(account)
        if found is None or found.status is not AccountStatus.PENDING or found.connected_at:
            return True
        self._agenda.add(Task.PURGE, account, self._clock())
        self._mailboxes.remove(account)
        self._customers.remove(found.customer, account)
        _log.info("event=account_abandoned account=%s", account)
        return True

    def _purge(self, account: str) -> bool:
        """Finish the deletion of an account: its token, and what is left of its partition."""
        self._vault().forget_refresh_token(account)
        return self._mailboxes.purge(account)
