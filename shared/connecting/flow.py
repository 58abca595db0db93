"""The flow: one run to Microsoft and back, kept only in the browser that started it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.connecting.ticket import Sealer, Ticket
from shared.errors import ServiceError
from shared.sealing import SealBrokenError, SealExpiredError
from shared.secrecy import Secret

LIFETIME = timedelta(minutes=15)
"""How long the person has at Microsoft."""

AT_ONCE = 8
"""How many flows one browser may have open."""

_PURPOSE = "flow"
_KEPT = ("state", "redirect_uri", "scope", "nonce", "code_verifier")
_STATE = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True, slots=True)
class Flow:
    """What must be known again at the callback: whose ticket, and MSAL's side of the request."""

    ticket: Ticket
    request: Mapping[str, Any]

    @property
    def state_hash(self) -> str:
        """The hash of ``state`` (RFC 6749 section 4.1.1): under it the flow is redeemed once."""
        return sha256(str(self.request["state"]).encode()).hexdigest()


_COOKIE = "__Host-connect-"


def surplus(cookies: Iterable[str]) -> list[str]:
    """Return the names of a browser's oldest flows, beyond those that it may have open at once.

    Browsers send the oldest cookie first (RFC 6265 section 5.4). Without an end to them, somebody
    who tries again and again would come to send more than a server reads.
    """
    return [name for name in cookies if name.startswith(_COOKIE)][: -(AT_ONCE - 1)]


def cookie_name(state: str) -> str:
    """Return the cookie's name for *state*; its own for each, so that two tabs do not meet.

    ``__Host-``: only this host, only over TLS, for all paths (RFC 6265bis section 4.1.3.2).
    """
    return f"{_COOKIE}{sha256(state.encode()).hexdigest()[:8]}"


def keep(ticket: Ticket, request: Mapping[str, Any], *, seal: Sealer, now: datetime) -> Secret:
    """Return the cookie's value: the flow, sealed."""
    kept = {name: request[name] for name in _KEPT}
    payload = {"ticket": ticket.to_payload(), "request": kept}
    return seal.seal(_PURPOSE, payload, expires=now + LIFETIME)


def find(
    query: Mapping[str, str], cookies: Mapping[str, str], *, seal: Sealer, now: datetime
) -> Flow:
    """Return the flow that this browser started with the ``state`` of *query*.

    Raises ServiceError ``flow-not-found``: another browser's callback, a changed state or cookie,
    or more than 15 minutes.
    """
    state = query.get("state", "")
    sealed = cookies.get(cookie_name(state), "") if _STATE.fullmatch(state) else ""
    try:
        payload = seal.open(_PURPOSE, sealed, now=now)
    except (SealBrokenError, SealExpiredError):
        raise ServiceError("flow-not-found") from None
    flow = Flow(Ticket.from_payload(payload["ticket"]), payload["request"])
    if flow.request["state"] != state:  # another flow's cookie under this one's name
        raise ServiceError("flow-not-found")
    return flow
