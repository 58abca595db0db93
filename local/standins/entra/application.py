"""Our app registration: redirect URIs, permissions, and how the client proves itself."""

import hmac
from urllib.parse import urlsplit

import jwt

from local.standins.entra.refusals import RefusedError
from local.standins.managed_identity import TOKEN_EXCHANGE, ManagedIdentity

CLIENT_ID = "6e2d8f10-3c4b-4d5a-9e6f-7a8b9c0d1e04"
CLIENT_SECRET = "local-only~client.secret_0123456789abcdef"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CALLBACK_PATH = "/api/oauth/callback"
OIDC_SCOPES = frozenset({"openid", "offline_access", "profile", "email"})
RESOURCES = ("https://outlook.office.com", "https://outlook.office365.com")
SMTP_SEND = "SMTP.Send"
LOOPBACK = ("localhost", "127.0.0.1")


class Application:
    """A multi-tenant web application with a federated credential and one client secret."""

    def __init__(self, identity: ManagedIdentity) -> None:
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.display_name = "Quick3"
        self.permissions = {SMTP_SEND}
        self.broken_credential: int | None = None
        self.redirect_uris = {f"http://{host}{CALLBACK_PATH}" for host in LOOPBACK}
        self._identity = identity

    def restore(self) -> None:
        """As registered: its permission and credentials in order."""
        self.permissions = {SMTP_SEND}
        self.broken_credential = None

    def find_fault(self, query: dict[str, str], tenant: str) -> RefusedError | None:
        """Why a browser with *query* must not be sent back: client or redirect URI unknown."""
        client, uri = query.get("client_id", ""), query.get("redirect_uri", "")
        if client.lower() != self.client_id:
            return RefusedError(700016, client_id=client, tenant=tenant)
        if not self.may_redirect_to(uri):
            return RefusedError(50011, redirect_uri=uri, client_id=client)
        return None

    def may_redirect_to(self, uri: str) -> bool:
        """Exact and case-sensitive, but the port of a loopback address does not count."""
        if uri in self.redirect_uris:
            return True
        parts = urlsplit(uri)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            return False
        return f"http://{parts.hostname}{parts.path}" in self.redirect_uris and not (
            parts.query or parts.fragment
        )

    def check_scopes(self, asked: str) -> frozenset[str]:
        """The scopes in *asked*; all must be ours to ask for, and of one resource."""
        scopes = frozenset(asked.split())
        if not scopes:
            raise RefusedError(900144, parameter="scope")
        of_resource = scopes - OIDC_SCOPES
        for scope in of_resource:
            resource, _, permission = scope.rpartition("/")
            if resource not in RESOURCES:
                number = 500011 if "://" in scope else 70011
                raise RefusedError(number, resource=resource, scope=scope, tenant="")
            if permission != SMTP_SEND:
                raise RefusedError(650053, scope=permission, application=self.display_name)
            if permission not in self.permissions:
                raise RefusedError(650057)
        if len({scope.rpartition("/")[0] for scope in of_resource}) > 1:
            raise RefusedError(70011, scope=asked)
        return scopes

    def authenticate(self, form: dict[str, str]) -> None:
        """Client authentication: RFC 7523 assertion of the managed identity, or the secret."""
        if form.get("client_id", "").lower() != self.client_id:
            raise RefusedError(700016, client_id=form.get("client_id", ""), tenant="")
        if self.broken_credential is not None:
            raise RefusedError(
                self.broken_credential,
                client_id=self.client_id,
                subject=self._identity.principal_id,
            )
        if "client_assertion" in form:
            self._check_assertion(form)
        elif "client_secret" in form:
            given, right = form["client_secret"].encode(), self.client_secret.encode()
            if not hmac.compare_digest(given, right):
                raise RefusedError(7000215, client_id=self.client_id)
        else:
            raise RefusedError(7000218)

    def _check_assertion(self, form: dict[str, str]) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise RefusedError(900144, parameter="client_assertion_type")
        try:
            claims = self._identity.claims(form["client_assertion"], TOKEN_EXCHANGE)
        except jwt.InvalidAudienceError:
            raise RefusedError(700212) from None
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise RefusedError(700024) from None
        except jwt.InvalidTokenError:
            raise RefusedError(50013) from None
        if claims["iss"] != self._identity.issuer(TOKEN_EXCHANGE):
            raise RefusedError(700211)
        if claims["sub"] != self._identity.principal_id:
            raise RefusedError(700213, subject=str(claims["sub"]))
