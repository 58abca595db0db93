"""The product's own identity provider: it tells the API who calls (OpenID Connect)."""

import uuid
from typing import Any

from local.standins.signing import SigningKey, times
from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.verbs import verb
from local.standins.web import Request, Response

AUDIENCE = "api://mail"
SCOPES = ("mail.accounts", "mail.send")
CLIENTS = {"quick3": "quick3-local-only"}
LIFE_SECONDS = 3600


class Issuer(StandIn):
    """Discovery, keys, and tokens for whoever a test or the demo page says is calling."""

    name = "issuer"

    def __init__(self, trust: Trust, port: int = 0) -> None:
        super().__init__(trust, port)
        self.audience = AUDIENCE
        self.issued: list[str] = []
        self._keys = [SigningKey("RS256"), SigningKey("ES256")]

    def settings(self) -> dict[str, str]:
        return {
            "CALLER_ISSUER": self.url,
            "CALLER_AUDIENCE": self.audience,
            "CALLER_CUSTOMER_CLAIM": "customer_id",
        }

    @verb
    def mint(
        self,
        customer: str | None = "firma",
        user: str | None = "kari",
        scopes: str | tuple[str, ...] | list[str] = SCOPES,
        algorithm: str = "RS256",
        **claims: Any,  # noqa: ANN401 - claims are JSON
    ) -> str:
        """A token of *customer* for *user*; *claims* replace or (None) remove what is usual."""
        scope = scopes if isinstance(scopes, str) else " ".join(scopes)
        usual = times(LIFE_SECONDS) | {
            "iss": self.url,
            "aud": self.audience,
            "sub": user or "quick3",
            "jti": uuid.uuid4().hex,
            "customer_id": customer,
            "scope": scope,
        }
        if user:
            usual["preferred_username"] = user
        kept = {name: value for name, value in (usual | claims).items() if value is not None}
        token = self._newest(algorithm).sign(kept)
        self.issued.append(token)
        return token

    @verb
    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with new keys; the old ones stay published unless told otherwise."""
        fresh = [SigningKey("RS256"), SigningKey("ES256")]
        self._keys = fresh + (self._keys[:2] if keep_old else [])

    @verb
    def reset(self) -> None:
        """No faults, no counters; the keys stay."""
        super().reset()
        self.issued.clear()

    def answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return Response(200, self._discovery())
            case "GET", "/keys":
                return Response(200, {"keys": [key.jwk() for key in self._keys]})
            case "POST", "/token":
                return self._token(request.form())
        return Response(404, {"error": "not_found"})

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint": f"{self.url}/token",
            "authorization_endpoint": f"{self.url}/authorize",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "scopes_supported": ["openid", *SCOPES],
        }

    def _token(self, form: dict[str, str]) -> Response:
        if form.get("grant_type") != "client_credentials":
            return Response(400, {"error": "unsupported_grant_type"})
        secret = CLIENTS.get(form.get("client_id", ""))
        if secret is None or secret != form.get("client_secret"):
            return Response(401, {"error": "invalid_client"})
        scope = form.get("scope") or " ".join(SCOPES)
        if not set(scope.split()) <= set(SCOPES):
            return Response(400, {"error": "invalid_scope"})
        token = self.mint(form.get("customer", "firma"), form.get("user") or None, scope)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": LIFE_SECONDS}
        return Response(200, body | {"scope": scope}, {"Cache-Control": "no-store"})

    def _newest(self, algorithm: str) -> SigningKey:
        return next(key for key in self._keys if key.algorithm == algorithm)
