"""The ticket: a sealed, short-lived permission to start connecting one account."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from shared.accounts.account import Account
from shared.errors import ServiceError
from shared.sealing import SealBrokenError, SealExpiredError
from shared.secrecy import Secret

LIFETIME = timedelta(minutes=30)
"""How long a ticket can be used to start."""

RENEWABLE = timedelta(hours=2)
"""How long after the first ticket a page may still offer another try."""

_PURPOSE = "ticket"


class Sealer(Protocol):
    """What seals for browsers (``shared.sealing.Seal``)."""

    def seal(self, purpose: str, payload: dict[str, Any], *, expires: datetime) -> Secret:
        """Seal *payload* until *expires*."""

    def open(self, purpose: str, text: str, *, now: datetime) -> dict[str, Any]:
        """Open or raise."""


class Asker(Protocol):
    """Who asked for the ticket: the caller of the API (``shared.callers.Caller``)."""

    @property
    def customer(self) -> str:
        """The caller's customer."""

    @property
    def user(self) -> str | None:
        """The signed-in user of the product, as people read it, if the caller's token says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An opened ticket: which account in which generation, who asked, and when."""

    account_id: str
    generation: str
    customer: str
    user: str | None
    asked_at: datetime

    def to_payload(self) -> dict[str, Any]:
        """Return the ticket as JSON values."""
        return {
            "account": self.account_id,
            "generation": self.generation,
            "customer": self.customer,
            "user": self.user,
            "asked_at": self.asked_at.timestamp(),
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "Ticket":
        """Read what ``to_payload`` wrote."""
        return cls(
            account_id=payload["account"],
            generation=payload["generation"],
            customer=payload["customer"],
            user=payload["user"],
            asked_at=datetime.fromtimestamp(payload["asked_at"], UTC),
        )


def issue(
    account: Account, requested_by: Asker, *, seal: Sealer, public_url: str, now: datetime
) -> tuple[Secret, datetime]:
    """Return the address at which *account* can be connected, and until when.

    It ends after 30 minutes, or when the account's generation moves: every successful connect
    moves it. Raises ServiceError ``vault-unavailable``.
    """
    ticket = Ticket(
        account_id=account.id,
        generation=account.generation,
        customer=requested_by.customer,
        user=requested_by.user,
        asked_at=now,
    )
    expires_at = now + LIFETIME
    text = write(ticket, seal=seal, expires_at=expires_at)
    return Secret(
        f"{public_url}/api/oauth/start?{urlencode({'ticket': text.reveal()})}"
    ), expires_at


def renew(ticket: Ticket, *, seal: Sealer, now: datetime) -> Secret | None:
    """Return a fresh ticket for another try, or None two hours after the first one.

    For a browser that has come through a whole flow; without the end, whoever holds one ticket
    could keep it alive for ever by failing again and again.
    """
    expires_at = min(now + LIFETIME, ticket.asked_at + RENEWABLE)
    return write(ticket, seal=seal, expires_at=expires_at) if expires_at > now else None


def write(ticket: Ticket, *, seal: Sealer, expires_at: datetime) -> Secret:
    """Return *ticket* sealed until *expires_at*."""
    return seal.seal(_PURPOSE, ticket.to_payload(), expires=expires_at)


def read(text: str, *, seal: Sealer, now: datetime) -> Ticket:
    """Open a ticket; raises ServiceError ``ticket-invalid`` or ``ticket-expired``."""
    try:
        return Ticket.from_payload(seal.open(_PURPOSE, text, now=now))
    except SealBrokenError:
        raise ServiceError("ticket-invalid") from None
    except SealExpiredError:
        raise ServiceError("ticket-expired") from None
