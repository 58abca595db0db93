"""How we get into a storage account: with the managed identity's token, or with a key."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable
from typing import Self
from urllib.parse import unquote

from shared.secrecy import Secret
from shared.store.endpoint import Request


class SharedKey:
    """The key of a connection string (Azure Storage, "Authorize with Shared Key")."""

    def __init__(self, account: str, key: Secret) -> None:
        self._account = account
        self._key = key

    @classmethod
    def of(cls, connection_string: Secret) -> Self:
        """Return the key that *connection_string* names; raises KeyError without one."""
        parts = _parts(connection_string)
        return cls(parts["accountname"], Secret(parts["accountkey"]))

    def for_tables(self, request: Request) -> str:
        """Sign a request to the Table service."""
        headers = request.headers
        return self._signed(
            request.method,
            "",
            headers.get("Content-Type", ""),
            headers["x-ms-date"],
            f"/{self._account}{request.path}",
        )

    def for_queues(self, request: Request) -> str:
        """Sign a request to the Queue service."""
        headers = request.headers
        length = str(len(request.body) or "")
        own = sorted(name for name in headers if name.startswith("x-ms-"))
        parameters = sorted(request.query.items())
        return self._signed(
            request.method,
            *("", "", length, "", headers.get("Content-Type", "")),
            *("", "", "", "", "", ""),
            *(f"{name}:{headers[name]}" for name in own),
            f"/{self._account}{unquote(request.path)}",
            *(f"{name}:{value}" for name, value in parameters),
        )

    def _signed(self, *lines: str) -> str:
        key = base64.b64decode(self._key.reveal())
        digest = hmac.digest(key, "\n".join(lines).encode(), hashlib.sha256)
        return f"SharedKey {self._account}:{base64.b64encode(digest).decode()}"


def url_in(connection_string: Secret, service: str) -> str:
    """Return where *connection_string* has *service* (``table``, ``queue``), as its words say.

    Raises KeyError when it does not say.
    """
    parts = _parts(connection_string)
    if named := parts.get(f"{service}endpoint"):
        return named
    suffix = parts.get("endpointsuffix", "core.windows.net")
    scheme = parts.get("defaultendpointsprotocol", "https")
    return f"{scheme}://{parts['accountname']}.{service}.{suffix}"


def _parts(connection_string: Secret) -> dict[str, str]:
    pairs = (part.partition("=") for part in connection_string.reveal().split(";") if part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


class Bearer:
    """An access token, kept until minutes before it ends.

    *fetch* returns one and when it ends (seconds since 1970); *clock* tells the time likewise.
    """

    EARLY = 300

    def __init__(
        self, fetch: Callable[[], tuple[Secret, float]], clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token = Secret("")
        self._ends = 0.0

    def __call__(self, _request: Request) -> str:
        """Return the header; raises what *fetch* raises."""
        with self._lock:
            if self._clock() > self._ends - self.EARLY:
                self._token, self._ends = self._fetch()
            return f"Bearer {self._token.reveal()}"
