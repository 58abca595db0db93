"""The managed identity endpoint of App Service and Functions (protocol 2019-08-01)."""

import secrets
import time

import jwt

from local.standins.faults import Fault
from local.standins.signing import SigningKey, times
from local.standins.standin import StandIn
from local.standins.verbs import verb
from local.standins.web import Request, Response

HOME_TENANT = "5f0c4a1e-6a55-4c1b-9d43-2f2b0a7d9c01"
CLIENT_ID = "0b6f7b0e-2f0a-4b7e-8a77-6d3b1a9f4e02"
PRINCIPAL_ID = "9a1d2c3b-4e5f-4a6b-8c7d-0e1f2a3b4c03"
TOKEN_EXCHANGE = "api://AzureADTokenExchange"
RESOURCES = (
    "https://vault.azure.net",
    "https://storage.azure.com",
    "https://storage.azure.com/",
    "https://eventgrid.azure.net",
    TOKEN_EXCHANGE,
)
API_VERSION = "2019-08-01"
LIFE_SECONDS = 86_400


class ManagedIdentity(StandIn):
    """One user-assigned identity; asks for the header secret, gives RS256 tokens.

    The real endpoint is plain HTTP on the instance itself, and so is this one.
    """

    name = "identity"

    def __init__(self, port: int = 0) -> None:
        super().__init__(None, port)
        self.header = secrets.token_hex(16)
        self.client_id = CLIENT_ID
        self.principal_id = PRINCIPAL_ID
        self.tenant_id = HOME_TENANT
        self.issued: list[str] = []
        self._key = SigningKey()
        self._resources = set(RESOURCES)
        self._life: float = LIFE_SECONDS

    def settings(self) -> dict[str, str]:
        return {
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": self.header,
            "MANAGED_IDENTITY_CLIENT_ID": self.client_id,
        }

    def issuer(self, resource: str) -> str:
        """Version 2 tokens for the token exchange, version 1 for the rest, as Entra does it."""
        if resource == TOKEN_EXCHANGE:
            return f"https://login.microsoftonline.com/{self.tenant_id}/v2.0"
        return f"https://sts.windows.net/{self.tenant_id}/"

    def token(self, resource: str) -> str:
        """A token for *resource*, as the endpoint would give it."""
        claims = times(self._life) | {
            "aud": resource,
            "iss": self.issuer(resource),
            "sub": self.principal_id,
            "oid": self.principal_id,
            "tid": self.tenant_id,
            "appid": self.client_id,
            "idtyp": "app",
        }
        token = self._key.sign(claims)
        self.issued.append(token)
        return token

    def verify(self, token: str | None, *resources: str) -> bool:
        """Whether *token* was issued here for one of *resources* and still holds."""
        try:
            self._key.verify(token or "", audience=list(resources))
        except jwt.InvalidTokenError:
            return False
        return True

    def claims(self, token: str, resource: str) -> dict[str, object]:
        """The claims of *token*; raises ``jwt.InvalidTokenError``."""
        return self._key.verify(token, audience=resource)

    @verb
    def serve_resource(self, resource: str) -> None:
        """Give tokens for *resource* too."""
        self._resources.add(resource)

    @verb
    def token_life(self, seconds: float) -> None:
        """How long the next tokens live."""
        self._life = seconds

    @verb
    def reset(self) -> None:
        """Faults, counters and the token life as at the start."""
        super().reset()
        self.issued.clear()
        self._life = LIFE_SECONDS

    def answer(self, request: Request) -> Response:
        if request.path != "/msi/token" or request.method != "GET":
            return Response(404, _error("Not Found"))
        if request.headers.get("x-identity-header") != self.header:
            return Response(401, _error("The X-IDENTITY-HEADER is missing or wrong."))
        if request.query.get("api-version") != API_VERSION:
            return Response(400, _error("The api-version is not supported."))
        if request.query.get("client_id", "").lower() != self.client_id:
            return Response(400, _error("No User Assigned or Delegated Managed Identity found."))
        resource = request.query.get("resource", "")
        if resource not in self._resources:
            return Response(400, _error(f"The resource principal named {resource} was not found."))
        return Response(200, self._granted(resource))

    def refusal_body(self, fault: Fault) -> dict[str, object]:
        return _error(f"The service is {fault.kind}.", status=503)

    def _granted(self, resource: str) -> dict[str, object]:
        return {
            "access_token": self.token(resource),
            "client_id": self.client_id,
            "expires_on": str(int(time.time() + self._life)),
            "resource": resource,
            "token_type": "Bearer",
        }


def _error(message: str, status: int = 400) -> dict[str, object]:
    return {"statusCode": status, "message": message}
