"""Set-Cookie as the host writes it from what the worker handed over.

The worker takes an app's own header lines apart; the host puts them together again. On that way
a value is percent-encoded, so one with ``+``, ``/`` or ``=`` in it comes back changed.
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from local.host.wire import Record

SAME_SITE = {1: "lax", 2: "strict", 3: "none"}


def set_cookie(cookie: Record) -> str:
    """Write one cookie's header value, attributes in ASP.NET's order."""
    parts = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires is not None:
        expires = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        parts.append(f"expires={format_datetime(expires, usegmt=True)}")
    if cookie.max_age is not None:
        parts.append(f"max-age={int(cookie.max_age.value)}")
    if cookie.domain is not None and cookie.domain.value:
        parts.append(f"domain={cookie.domain.value}")
    if cookie.path is not None and cookie.path.value:
        parts.append(f"path={cookie.path.value}")
    if cookie.secure is not None and cookie.secure.value:
        parts.append("secure")
    if same_site := SAME_SITE.get(cookie.same_site):
        parts.append(f"samesite={same_site}")
    if cookie.http_only is not None and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)
