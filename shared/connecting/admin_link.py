"""The admin link: what the user forwards to the IT admin, who has no account with us."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from shared.connecting.ticket import Sealer
from shared.errors import ServiceError
from shared.guidance import for_code
from shared.sealing import SealBrokenError, SealExpiredError
from shared.secrecy import Secret

LIFETIME = timedelta(days=14)
"""How long the link works."""

_PURPOSE = "admin"

_APPROVAL = "admin-approval-needed"
_MAY_NEED_APPROVAL = frozenset(
    {
        "consent-declined",
        "consent-cancelled",
        "consent-revoked",
        "scope-not-granted",
        "refresh-token-missing",
    }
)
"""What looks like the user's own choice and can be Microsoft asking for an admin all the same."""


@dataclass(frozen=True, slots=True)
class AdminLink:
    """One account, and the problem (a guidance code) that the link was made for, if any."""

    account_id: str
    code: str | None


def issue(account_id: str, code: str | None, *, seal: Sealer, now: datetime) -> Secret:
    """Return the sealed link; it shows one account's problem and lets it be checked again."""
    payload = {"account": account_id, "code": code}
    return seal.seal(_PURPOSE, payload, expires=now + LIFETIME)


def address(link: Secret, public_url: str) -> str:
    """Return the page's address, to be shown to the user and forwarded."""
    return f"{public_url}/api/oauth/admin?{urlencode({'link': link.reveal()})}"


def matter_for_admin(code: str) -> str | None:
    """Return what *code* comes to for an admin, who may have to approve; None when to nothing."""
    if code in _MAY_NEED_APPROVAL:
        return _APPROVAL
    return code if for_code(code).who == "admin" else None


def address_for(
    account_id: str, code: str | None, *, seal: Sealer, public_url: str, now: datetime
) -> Secret | None:
    """Return the page's address if *code* is, or may be, for an admin to settle; else None.

    Raises ServiceError ``vault-unavailable``.
    """
    matter = matter_for_admin(code) if code else None
    if matter is None:
        return None
    return Secret(address(issue(account_id, matter, seal=seal, now=now), public_url))


def read(text: str, *, seal: Sealer, now: datetime) -> AdminLink:
    """Open a link; raises ServiceError ``admin-link-invalid`` or ``admin-link-expired``."""
    try:
        payload = seal.open(_PURPOSE, text, now=now)
    except SealBrokenError:
        raise ServiceError("admin-link-invalid") from None
    except SealExpiredError:
        raise ServiceError("admin-link-expired") from None
    return AdminLink(payload["account"], payload["code"])
