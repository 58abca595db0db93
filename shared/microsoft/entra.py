"""Entra, spoken to through MSAL: the authorization request, the code's redemption, the refresh."""

import json
import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msal
from azure.core.exceptions import AzureError

from shared.accounts.account import REQUESTED_SCOPE
from shared.errors import ServiceError
from shared.microsoft.http_client import HttpClient, token_error
from shared.microsoft.token_response import Grant, TokenError, Tokens
from shared.secrecy import Secret

__all__ = ["Entra", "TokenError"]

_ADDED_BY_MSAL = ("openid", "profile", "offline_access")
_SCOPES = [scope for scope in REQUESTED_SCOPE if scope not in _ADDED_BY_MSAL]
_SMTP_SCOPES = [REQUESTED_SCOPE[0]]
_ADVICE = "response_mode='form_post'"
"""MSAL's advice, not followed: a cross-site POST would come back without the flow's Lax cookie."""


class Entra:
    """Our application at one authority (``https://host/tenant``); one per process, for threads.

    *client_credential* is the client secret, or a callable that returns a client assertion (RFC
    7523): the managed identity's token. *tls* and *timeout* are those of its ``HttpClient``.
    """

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        client_credential: Secret | Callable[[], str],
        tls: ssl.SSLContext,
        timeout: float = 10,
    ) -> None:
        self.authority = authority
        self.client_id = client_id
        self._credential = client_credential
        self._http_client = HttpClient(tls, timeout)
        self._building = threading.Lock()
        self._app: msal.ConfidentialClientApplication | None = None
        self._issuer: str | None = None

    def initiate(self, *, redirect_uri: str, login_hint: str) -> dict[str, Any]:
        """Return the flow: ``auth_uri`` to send the browser to, and what must be kept meanwhile.

        State, nonce and the PKCE verifier (RFC 7636, S256) are in it, so it is kept sealed. Raises
        TokenError when Entra's metadata cannot be read.
        """
        warnings.filterwarnings("ignore", message=_ADVICE, category=UserWarning)
        flow: dict[str, Any] = self._application().initiate_auth_code_flow(
            _SCOPES,
            redirect_uri=redirect_uri,
            prompt="select_account",
            login_hint=login_hint,
            response_mode="query",
        )
        flow["auth_uri"] = _in_our_order(flow["auth_uri"])
        return flow

    def redeem(self, flow: Mapping[str, Any], query: Mapping[str, str]) -> Grant:
        """Redeem the authorization response *query* against *flow* (RFC 6749 section 4.1.3).

        MSAL compares state and nonce. Raises TokenError, or ServiceError ``identity-unverified``
        when the nonce is another one's.
        """
        response = self._ask(
            lambda app: app.acquire_token_by_auth_code_flow(
                dict(flow), {name: query[name] for name in ("code", "state") if name in query}
            )
        )
        refresh_token = response.get("refresh_token")
        return Grant(
            claims=response.get("id_token_claims") or {},
            scope=_granted(response, flow),
            refresh_token=Secret(refresh_token) if refresh_token else None,
        )

    def refresh(self, refresh_token: Secret) -> Tokens:
        """Return fresh tokens for *refresh_token* (RFC 6749 section 6); raises TokenError."""
        response = self._ask(
            lambda app: app.acquire_token_by_refresh_token(refresh_token.reveal(), _SMTP_SCOPES)
        )
        if not response.get("access_token"):
            raise TokenError("server_error", http_status=200)
        return Tokens(
            access_token=Secret(response["access_token"]),
            refresh_token=Secret(response.get("refresh_token") or refresh_token.reveal()),
            expires_at=datetime.now(UTC) + timedelta(seconds=_seconds(response)),
        )

    def issuer(self) -> str:
        """Return the issuer that the authority's metadata names, which may hold ``{tenantid}``.

        Raises TokenError when the metadata cannot be read (OpenID Connect Discovery section 4).
        """
        if self._issuer is None:
            self._issuer = self._read_issuer()
        return self._issuer

    def is_healthy(self) -> bool:
        """Tell whether Entra answers at all; asks each time, raises nothing."""
        try:
            return bool(self._read_issuer())
        except TokenError:
            return False

    def tenant(self) -> str:
        """Return the authority's last part: a tenant's id or domain, or ``organizations``."""
        return self.authority.rsplit("/", 1)[-1]

    def admin_consent_url(self, *, redirect_uri: str, tenant: str | None, state: str = "") -> str:
        """Return the link by which an admin approves the application for all of *tenant*.

        Without *tenant* the admin's own is used; the endpoint does not know ``common``.
        """
        base, _, own = self.authority.rpartition("/")
        chosen = tenant or ("organizations" if own == "common" else own)
        query = {
            "client_id": self.client_id,
            "scope": " ".join(REQUESTED_SCOPE),
            "redirect_uri": redirect_uri,
        }
        if state:
            query["state"] = state
        return f"{base}/{chosen}/v2.0/adminconsent?{urlencode(query)}"

    def close(self) -> None:
        """Close the kept connections."""
        self._http_client.close()

    def _read_issuer(self) -> str:
        url = f"{self.authority}/v2.0/.well-known/openid-configuration"
        try:
            return str(json.loads(self._http_client.get(url).text)["issuer"])
        except (ValueError, KeyError, TypeError) as error:
            raise TokenError("unreachable", http_status=0) from error

    def _application(self) -> msal.ConfidentialClientApplication:
        """Build MSAL's object at first use, since its constructor reads Entra's metadata.

        Instance discovery is off: it guards programs whose authority comes from a stranger, ours
        comes from the operator, and it would send every sovereign cloud through the public one.
        """
        with self._building:
            if self._app is None:
                try:
                    self._app = msal.ConfidentialClientApplication(
                        self.client_id,
                        client_credential=self._client_credential(),
                        authority=self.authority,
                        instance_discovery=False,
                        azure_region=False,
                        http_client=self._http_client,
                        token_cache=_NoTokens(),
                    )
                except TokenError:
                    raise
                except (ValueError, RuntimeError, KeyError) as error:
                    raise TokenError("unreachable", http_status=0) from error
            return self._app

    def _client_credential(self) -> str | dict[str, Callable[[], str]]:
        if isinstance(self._credential, Secret):
            return self._credential.reveal()
        return {"client_assertion": self._assertion}

    def _assertion(self) -> str:
        """Ask for the client assertion; when it cannot be had, that is an outage of ours."""
        if isinstance(self._credential, Secret):
            raise TypeError("a client secret is no assertion")
        try:
            return self._credential()
        except AzureError as error:
            raise TokenError("invalid_client", http_status=0) from error

    def _ask(self, request: Callable[[msal.ConfidentialClientApplication], Any]) -> dict[str, Any]:
        """Make one token request and return its response; every failure becomes a TokenError."""
        app = self._application()
        try:
            response = request(app)
        except RuntimeError:  # MSAL's word for another nonce than the flow's
            raise ServiceError("identity-unverified") from None
        except (ValueError, msal.exceptions.MsalError):  # no JSON, or another flow's state
            raise TokenError("server_error", http_status=500) from None
        if not isinstance(response, dict):
            raise TokenError("server_error", http_status=200)
        if "error" in response:
            raise token_error(response, 400)
        return response


class _NoTokens(msal.TokenCache):  # type: ignore[misc]
    """MSAL's token cache, keeping nothing: it would hold every account's tokens for ever."""

    def add(self, event: object, now: object = None) -> None:
        """Let the tokens pass."""


def _in_our_order(auth_uri: str) -> str:
    """Put the scopes into the order in which they are documented; MSAL's changes."""
    parts = urlsplit(auth_uri)
    query = dict(parse_qsl(parts.query)) | {"scope": " ".join(REQUESTED_SCOPE)}
    return parts._replace(query=urlencode(query)).geturl()


def _granted(response: Mapping[str, Any], flow: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the granted scope; left out, it is the requested one (RFC 6749 section 5.1)."""
    scope = response["scope"] if "scope" in response else flow["scope"]
    return tuple(scope.split() if isinstance(scope, str) else scope)


def _seconds(response: Mapping[str, Any]) -> int:
    """Return the access token's life in seconds; unsaid, the shortest that Entra gives."""
    try:
        return int(response.get("expires_in", 3600))
    except (TypeError, ValueError):
        return 3600
