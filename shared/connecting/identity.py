"""Who signed in: the checks of the ID token that MSAL leaves to us (OpenID Connect Core 3.1.3.7).

The token came straight from the token endpoint over TLS, so its signature need not be checked.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.accounts.account import Identity
from shared.errors import ServiceError

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SKEW = timedelta(minutes=5)


def identify(
    claims: Mapping[str, object], *, client_id: str, issuer: str, tenant: str, now: datetime
) -> Identity:
    """Return who signed in; raises ServiceError ``identity-unverified``.

    *issuer* is the one of the authority's metadata, with ``{tenantid}`` where many tenants share
    it; *tenant* is the authority's last part. The name is ``preferred_username``: ``email`` can be
    set to anything by any tenant's admin, and is not looked at.
    """
    tid = _text(claims, "tid")
    held = (
        claims.get("aud") == client_id,
        _GUID.fullmatch(tid) is not None,
        claims.get("iss") == issuer.replace("{tenantid}", tid),
        not _GUID.fullmatch(tenant) or tenant.lower() == tid.lower(),
        _is_current(claims, now),
        bool(_text(claims, "oid")),
        bool(_text(claims, "preferred_username")),
    )
    if not all(held):
        raise ServiceError("identity-unverified")
    return Identity(
        tenant_id=tid,
        object_id=_text(claims, "oid"),
        username=_text(claims, "preferred_username"),
    )


def is_same_name(one: str, other: str) -> bool:
    """Tell whether two sign-in names are the same; Entra does not mind the case.

    The name is what was asked for, so the object id may differ from the last time: the same
    mailbox made anew has another.
    """
    return one.casefold() == other.casefold()


def _is_current(claims: Mapping[str, object], now: datetime) -> bool:
    expiry = claims.get("exp")
    if not isinstance(expiry, int | float) or isinstance(expiry, bool):
        return False
    return now.timestamp() < expiry + _SKEW.total_seconds()


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
