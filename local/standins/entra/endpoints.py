"""Entra's endpoints: discovery, keys, authorize and its forms, token, admin consent."""

from typing import Any

from local.standins.entra import pages
from local.standins.entra.administration import Administration
from local.standins.entra.application import OIDC_SCOPES
from local.standins.entra.grants import Grant
from local.standins.entra.refusals import REFUSALS, RefusedError, document
from local.standins.entra.sign_in import ANYONE, Page, Step, denied
from local.standins.faults import Fault
from local.standins.web import Request, Response

ENDPOINTS = {
    "v2.0/.well-known/openid-configuration": "discovery",
    "discovery/v2.0/keys": "keys",
    "discovery/instance": "instance",
    "oauth2/v2.0/authorize": "authorize",
    "oauth2/v2.0/token": "token",
    "v2.0/adminconsent": "adminconsent",
    "login": "login",
    "mfa": "mfa",
    "consent": "consent",
    "cancel": "cancel",
}
NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
FRAMELESS = {"X-Frame-Options": "DENY", "Referrer-Policy": "strict-origin-when-cross-origin"}


class Entra(Administration):
    """One authority; every path begins with a tenant: an id, a domain, or ``organizations``."""

    name = "entra"

    @property
    def authority(self) -> str:
        return f"{self.url}/organizations"

    def settings(self) -> dict[str, str]:
        """Without the secret unless told to: the managed identity is the usual credential."""
        application = self.application
        found = {"ENTRA_AUTHORITY": self.authority, "ENTRA_CLIENT_ID": application.client_id}
        return found | (
            {"ENTRA_CLIENT_SECRET": application.client_secret} if self.shows_secret else {}
        )

    def endpoint(self, request: Request) -> str:
        return ENDPOINTS.get(request.path.strip("/").partition("/")[2], "unknown")

    def answer(self, request: Request) -> Response:
        tenant = request.path.strip("/").partition("/")[0]
        endpoint = self.endpoint(request)
        if not self._knows(tenant):
            return self._refused(RefusedError(90002, tenant=tenant), request)
        try:
            return self._dispatch(endpoint, tenant, request)
        except RefusedError as refused:
            self.counters[f"refused {refused.number}"] += 1
            return self._refused(refused, request)

    def refuse(self, fault: Fault, request: Request) -> Response:
        if fault.kind == "throttled-html":
            body = "<html><body><h1>429 Too Many Requests</h1></body></html>"
            return Response(429, body, {"Retry-After": str(int(fault.seconds))})
        if not fault.kind.isdecimal() or int(fault.kind) not in REFUSALS:
            return super().refuse(fault, request)
        refused = RefusedError(int(fault.kind), client_id=self.application.client_id)
        self.counters[f"refused {refused.number}"] += 1
        if self.endpoint(request) == "authorize":
            step = denied(dict(request.query), refused.row.error, refused.words)
            return self._shown(step, request)
        return self._refused(refused, request)

    def refusal_body(self, fault: Fault) -> dict[str, object] | str:
        if fault.kind == "throttled":
            refused = RefusedError(90055)
            return document(refused, host=self.url, correlation=None)
        return "<html><body><h1>Service unavailable</h1></body></html>"

    def _dispatch(self, endpoint: str, tenant: str, request: Request) -> Response:
        match request.method, endpoint:
            case "GET", "discovery" | "keys" | "instance":
                return Response(200, self._metadata(endpoint, tenant))
            case "POST", "token":
                return self._token(tenant, request)
            case "GET", "authorize" | "adminconsent":
                return self._shown(self._begun(endpoint, tenant, dict(request.query)), request)
            case "POST", "login" | "mfa" | "consent" | "cancel":
                return self._shown(self._submitted(endpoint, request.form()), request)
        return Response(404, "<html><body><h1>404</h1></body></html>")

    def _metadata(self, endpoint: str, tenant: str) -> dict[str, Any]:
        if endpoint == "keys":
            return {"keys": [self.tokens.key.jwk()]}
        return self._discovery(tenant) if endpoint == "discovery" else self._instance()

    def _begun(self, endpoint: str, tenant: str, query: dict[str, str]) -> Step:
        if endpoint == "adminconsent":
            return self.sign_ins.begin_admin_consent(tenant, query)
        self.authorizations.append(query)
        return self.sign_ins.begin(tenant, query)

    def _knows(self, tenant: str) -> bool:
        return tenant in ANYONE or self.directory.tenant(tenant) is not None

    def _submitted(self, endpoint: str, form: dict[str, str]) -> Step:
        visit = self.sign_ins.visit(form.get("ctx", ""))
        if visit is None:
            return Page("error", refused=RefusedError(90023))
        match endpoint:
            case "login":
                username, password = form.get("username", ""), form.get("password", "")
                return self.sign_ins.enter(visit, username.strip(), password)
            case "mfa":
                return self.sign_ins.approve_mfa(visit)
            case "consent":
                return self.sign_ins.consent(visit, accept=form.get("action") == "accept")
        return self.sign_ins.cancel(visit)

    def _shown(self, step: Step, request: Request) -> Response:
        headers = NO_STORE | FRAMELESS
        if isinstance(step, Page):
            language = pages.language(request.headers.get("accept-language", ""))
            html = pages.render(step, self.application, language)
            return Response(400 if step.kind == "error" else 200, html, headers)
        if step.form_post:
            return Response(200, pages.form_post(step), headers)
        return Response(302, b"", headers | {"Location": step.url()})

    def _token(self, tenant: str, request: Request) -> Response:
        form = request.form()
        for kind in ("client_secret", "client_assertion", "code_verifier"):
            if kind in form:
                self.tokens.remember(kind, form[kind])
        if self.planned:
            raise self.planned.popleft()
        self.application.authenticate(form)
        grant_type = form.get("grant_type", "")
        self.counters[f"grant {grant_type}"] += 1
        if grant_type == "authorization_code":
            code = self.grants.redeem(form, tenant)
            return Response(200, self._granted(code.grant, code.nonce, None, form), NO_STORE)
        if grant_type == "refresh_token":
            scopes = self.application.check_scopes(form.get("scope", ""))
            grant = self.grants.refresh(form, scopes)
            if tenant not in ANYONE and self.directory.tenant(tenant) is not grant.person.tenant:
                raise RefusedError(70000)
            return Response(200, self._granted(grant, None, scopes, form), NO_STORE)
        raise RefusedError(70003)

    def _granted(
        self, grant: Grant, nonce: str | None, asked: frozenset[str] | None, form: dict[str, str]
    ) -> dict[str, Any]:
        asked = asked or grant.scopes
        scopes = grant.scopes & (asked | OIDC_SCOPES) - self.withheld_scopes
        resource_scopes = scopes - OIDC_SCOPES
        life = self.tokens.life
        body: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(resource_scopes)),
            "expires_in": max(int(life), 0),
            "ext_expires_in": max(int(life), 0),
            "access_token": self.tokens.access_token(grant.person, resource_scopes, life),
        }
        if "offline_access" in asked & grant.scopes and not self.refresh_token_withheld:
            body["refresh_token"] = self.grants.new_refresh_token(grant)
        if "openid" in asked:
            body["id_token"] = self.tokens.id_token(
                grant.person, host=self.url, nonce=nonce, scopes=scopes
            )
        if form.get("client_info") == "1":
            body["client_info"] = self.tokens.client_info(grant.person)
        return body

    def _refused(self, refused: RefusedError, request: Request) -> Response:
        correlation = request.headers.get("client-request-id")
        body = document(refused, host=self.url, correlation=correlation)
        return Response(refused.row.status, body, NO_STORE)

    def _discovery(self, tenant: str) -> dict[str, Any]:
        known = self.directory.tenant(tenant)
        base = f"{self.url}/{tenant}"
        return {
            "issuer": f"{self.url}/{known.id if known else '{tenantid}'}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
            ],
            "response_modes_supported": ["query", "form_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "tid", "oid"],
            "tenant_region_scope": None,
        }

    def _instance(self) -> dict[str, Any]:
        host = f"127.0.0.1:{self.port}"
        alias = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        return {
            "tenant_discovery_endpoint": f"{self.authority}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [alias],
        }
