"""The confirmation: that the person in this browser has seen who asks, and wants to go on.

Somebody could send a connect link of their own to a stranger, and so have the stranger's mailbox
connected to their account. A page stands in between, and a link past it that is good in the one
browser that was shown it.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from shared.connecting.ticket import Sealer
from shared.sealing import SealBrokenError, SealExpiredError
from shared.secrecy import Secret

COOKIE = "__Host-start"
"""Names the cookie that holds the browser's random mark."""

LIFETIME = timedelta(minutes=30)

_PURPOSE = "confirmation"


def new_browser_mark() -> str:
    """Return a random mark by which this browser is known again."""
    return secrets.token_urlsafe(24)


def confirm(ticket_text: str, browser_mark: str, *, seal: Sealer, now: datetime) -> Secret:
    """Return what lets the browser with *browser_mark* go on with this ticket, and no other."""
    payload = {"ticket": _fingerprint(ticket_text), "browser": _fingerprint(browser_mark)}
    return seal.seal(_PURPOSE, payload, expires=now + LIFETIME)


def is_confirmed(
    confirmation: str, ticket_text: str, browser_mark: str, *, seal: Sealer, now: datetime
) -> bool:
    """Tell whether *confirmation* was made for this ticket in this browser."""
    if not (confirmation and browser_mark):
        return False
    try:
        payload = seal.open(_PURPOSE, confirmation, now=now)
    except (SealBrokenError, SealExpiredError):
        return False
    return payload == {
        "ticket": _fingerprint(ticket_text),
        "browser": _fingerprint(browser_mark),
    }


def comes_from_product(referer: str, allowed_origins: tuple[str, ...]) -> bool:
    """Tell whether the browser was sent by one of the frontend's pages (RFC 9110 section 10.1.3).

    A page of another site can withhold the header but not forge it.
    """
    try:
        parts = urlsplit(referer)
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}".lower() in allowed_origins


def _fingerprint(text: str) -> str:
    return sha256(text.encode()).hexdigest()
