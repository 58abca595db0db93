"""The register of accounts: opened, listed, changed and closed for one customer and no other."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.accounts.account import REQUESTED_SCOPE, Account, AccountStatus
from shared.address import AddressError, address_of
from shared.errors import Fault, ServiceError
from shared.identifiers import is_identifier, new_identifier
from shared.members import Members
from shared.schedule import Task

UNCONNECTED = timedelta(days=30)
"""An account that nobody connects is deleted after this long."""
LONGEST_NAME = 200

_MEMBERS = ("type", "username", "address", "display_name")
_log = logging.getLogger(__name__)


class Accounts(Protocol):
    """Where accounts are kept."""

    def create(self, account: Account) -> None:
        """Open a partition."""

    def get(self, account: str) -> Account | None:
        """Return the account."""

    def watched(self, account: str) -> tuple[Account, datetime | None] | None:
        """Return the account, and until when the agenda looks after its mail."""

    def change(self, account: str, change: Callable[[Account], Account | None]) -> Account | None:
        """Apply a change."""

    def remove(self, account: str) -> None:
        """Close the partition."""


class Customers(Protocol):
    """The index of accounts by customer."""

    def add(self, customer: str, account: str) -> None:
        """Add one."""

    def remove(self, customer: str, account: str) -> None:
        """Remove one."""

    def accounts(self, customer: str, *, after: str, limit: int) -> list[str]:
        """List some."""


class Agenda(Protocol):
    """What upkeep has to do when."""

    def add(self, task: Task, account: str, at: datetime) -> datetime:
        """Note it."""


class RefreshTokens(Protocol):
    """Where refresh tokens are."""

    def forget_refresh_token(self, account_id: str) -> None:
        """Disable and delete one."""


class Register:
    """The accounts of all customers; every method names the customer that asks.

    Another customer's account is as unknown as one that never was:
    ServiceError("account-not-found").
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        customers: Customers,
        agenda: Agenda,
        refresh_tokens: Callable[[], RefreshTokens],
        readers: Executor,
    ) -> None:
        self._accounts = accounts
        self._customers = customers
        self._agenda = agenda
        self._refresh_tokens = refresh_tokens
        self._readers = readers

    def draft(self, customer: str, body: object, now: datetime) -> Account:
        """Return the account that *body* asks for, not yet kept anywhere.

        Raises ServiceError("invalid-account") with every fault.
        """
        wanted = _wanted(body, known=_MEMBERS, required=("type", "username"))
        username = wanted["username"] or ""
        return Account(
            id=new_identifier(now),
            customer=customer,
            username=username,
            address=wanted.get("address") or username,
            display_name=wanted.get("display_name"),
            status=AccountStatus.PENDING,
            scope=REQUESTED_SCOPE,
            generation=new_identifier(now),
            created_at=now,
        )

    def open(self, account: Account) -> None:
        """Keep a new *account*; upkeep deletes one that nobody connects."""
        self._agenda.add(Task.ABANDON, account.id, account.created_at + UNCONNECTED)
        self._customers.add(account.customer, account.id)
        self._accounts.create(account)
        _log.info("event=account_opened account=%s", account.id)

    def find(self, customer: str, account_id: str) -> Account:
        """Return the customer's account of that id."""
        account = self._accounts.get(account_id) if is_identifier(account_id) else None
        if account is None or account.customer != customer:
            raise ServiceError("account-not-found")
        return account

    def find_watched(self, customer: str, account_id: str) -> tuple[Account, datetime | None]:
        """Return the account as ``find`` does, and until when the agenda looks after its mail."""
        found = self._accounts.watched(account_id) if is_identifier(account_id) else None
        if found is None or found[0].customer != customer:
            raise ServiceError("account-not-found")
        return found

    def page(self, customer: str, *, after: str, limit: int) -> tuple[list[Account], str | None]:
        """Return up to *limit* accounts that come after the id *after*, and where to go on."""
        ids = self._customers.accounts(customer, after=after, limit=limit + 1)
        found = self._readers.map(self._accounts.get, ids[:limit])
        accounts = [one for one in found if one and one.customer == customer]
        return accounts, ids[limit - 1] if len(ids) > limit else None

    def change(self, customer: str, account_id: str, body: object, now: datetime) -> Account:
        """Change an account as *body* asks; another username asks for a new connect.

        Raises ServiceError("invalid-account") with every fault.
        """
        self.find(customer, account_id)
        wanted = _wanted(body, known=_MEMBERS[1:])

        def change(account: Account) -> Account:
            username = wanted.get("username") or account.username
            changed = replace(
                account,
                username=username,
                address=wanted.get("address") or account.address,
                display_name=wanted.get("display_name", account.display_name),
            )
            same = username.casefold() == account.username.casefold()
            return changed if same else _unconnected(changed, now)

        after = self._accounts.change(account_id, change)
        if after is None:
            raise ServiceError("account-not-found")
        return after

    def close(self, customer: str, account_id: str, now: datetime) -> None:
        """Close an account: its token is disabled and deleted, its waiting mail never leaves.

        First the account is gone, so that nothing is sent any more; what is left of it is deleted
        by upkeep, also when this process dies here.
        """
        account = self.find(customer, account_id)
        self._agenda.add(Task.PURGE, account.id, now)
        self._accounts.remove(account.id)
        self._customers.remove(customer, account.id)
        self._refresh_tokens().forget_refresh_token(account.id)
        _log.info("event=account_closed account=%s", account.id)


def _unconnected(account: Account, now: datetime) -> Account:
    """Return *account* as it is before anybody signed in."""
    return replace(
        account,
        status=AccountStatus.PENDING,
        scope=REQUESTED_SCOPE,
        generation=new_identifier(now),
        connected_at=None,
        identity=None,
        obstacle=None,
    )


def _wanted(
    body: object, *, known: tuple[str, ...], required: tuple[str, ...] = ()
) -> dict[str, str | None]:
    """Check the members of *body* and return those that are there; every fault counts."""
    faults: list[Fault] = []
    members = Members(body, "", known, faults)
    if not faults or isinstance(body, dict):
        for name in required:
            if name not in members:
                members.fault(name, "is missing")
    members.choice("type", ("office365",))
    wanted = {
        name: text
        for name in ("username", "address")
        if (text := _address(members, name)) is not None
    } | _display_name(members)
    if faults:
        raise ServiceError("invalid-account", faults=faults)
    return wanted


def _address(members: Members, name: str) -> str | None:
    """Return the member *name*: one bare address and nothing else."""
    text = members.line(name, limit=254)
    if text is None:
        return None
    try:
        address_of("", text.strip())
    except AddressError as error:
        members.fault(name, str(error))
    return text.strip()


def _display_name(members: Members) -> dict[str, str | None]:
    """Return the display name if there is one; null takes it away (RFC 7396)."""
    if members.is_null("display_name"):
        return {"display_name": None}
    name = members.line("display_name", limit=LONGEST_NAME)
    return {} if name is None else {"display_name": name.strip() or None}
