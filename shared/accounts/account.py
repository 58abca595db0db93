"""The account as a value: what it may send as, and what, if anything, stands in its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

REQUESTED_SCOPE = (
    "https://outlook.office.com/SMTP.Send",
    "offline_access",
    "openid",
    "profile",
    "email",
)
"""What is asked for at Microsoft, and no more: to send as the person, and to know who it is."""


class AccountStatus(StrEnum):
    """Where an account stands (CONTRACT section 1)."""

    PENDING = "pending"
    CONNECTED = "connected"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of sending: a guidance row, its values, and when it was met."""

    code: str
    values: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in at Microsoft: tenant (``tid``), object (``oid``) and sign-in name."""

    tenant_id: str
    object_id: str
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One mailbox of one customer. *username* signs in; *address* is what mail is sent from.

    *generation* changes with every successful connect, which makes older tickets useless.
    *released_at* is when held mail was last let go.
    """

    id: str
    customer: str
    username: str
    address: str
    display_name: str | None
    status: AccountStatus
    scope: tuple[str, ...]
    generation: str
    created_at: datetime
    type: str = "office365"
    connected_at: datetime | None = None
    released_at: datetime | None = None
    last_sent_at: datetime | None = None
    identity: Identity | None = None
    obstacle: Obstacle | None = field(default=None)
