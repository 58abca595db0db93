"""MSAL's HTTP client: kept connections, time limits, and an error for all that is no token."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3

from shared.microsoft.token_response import TokenError

LONGEST_RETRY_AFTER = 3600
"""Seconds; a ``Retry-After`` counts up to this."""

_CONNECTIONS = 32  # kept; a process seldom asks for more tokens at once
_ONE_MORE_CONNECTION = urllib3.Retry(
    total=1, connect=1, read=False, redirect=False, status=False, other=False
)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response under the names that MSAL knows."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class HttpClient:
    """What MSAL asks of its ``http_client``, and no more; safe for threads.

    It follows no redirect. MSAL replays a 400 from memory for a minute and other failures for
    seconds, so that a mailbox just put right would still look broken. It cannot replay what it
    never saw: every answer of the token endpoint but 200 is raised here.

    *timeout* is in seconds, for connecting and for each read; *tls* becomes its own (it is told to
    speak HTTP).
    """

    def __init__(self, tls: ssl.SSLContext, timeout: float) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            ssl_context=tls,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=_ONE_MORE_CONNECTION,
        )

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Response:
        """Fetch metadata; raises TokenError when the server cannot answer now."""
        response = self._ask("GET", url, params, headers)
        if response.status_code >= 500 or response.status_code == 429:
            raise _unusable(response)
        return response

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Response:
        """Make a token request; raises TokenError for every answer but 200."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        response = self._ask("POST", url, params, form, urlencode(data or {}))
        if response.status_code != 200:
            raise _unusable(response)
        return response

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def _ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: str | None = None,
    ) -> Response:
        if params:
            url = f"{url}?{urlencode(params)}"
        try:
            response = self._pool.request(method, url, body=body, headers=headers, redirect=False)
            text = response.data.decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise TokenError("unreachable", http_status=0) from error
        return Response(response.status, text, response.headers)


def token_error(
    body: Mapping[str, object], http_status: int, retry_after: int | None = None
) -> TokenError:
    """Read an error response; the description stays behind, it can hold names."""
    codes = body.get("error_codes")
    numbers = codes if isinstance(codes, list) else ()
    return TokenError(
        str(body["error"]),
        suberror=str(body["suberror"]) if body.get("suberror") else None,
        codes=tuple(code for code in numbers if isinstance(code, int)),
        http_status=http_status,
        retry_after=retry_after,
        trace_id=str(body.get("trace_id") or body.get("correlation_id") or "") or None,
    )


def _unusable(response: Response) -> TokenError:
    """Return the error that a response which is not 200 stands for."""
    try:
        body = json.loads(response.text)
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return token_error(body, response.status_code, _retry_after(response))
    return TokenError(
        "temporarily_unavailable" if response.status_code == 429 else "server_error",
        http_status=response.status_code,
        retry_after=_retry_after(response),
    )


def _retry_after(response: Response) -> int | None:
    """Read ``Retry-After`` in its form of whole seconds, the one Entra uses."""
    text = response.headers.get("Retry-After", "")
    return min(int(text), LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else None
