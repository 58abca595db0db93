"""Key Vault over HTTPS: the challenge, the bearer check, and one method per operation."""

import uuid
from typing import Any

from local.standins.faults import Fault
from local.standins.key_vault.secrets import (
    RETENTION_SECONDS,
    RefusedError,
    Secrets,
    StoredSecret,
    Version,
    change,
)
from local.standins.managed_identity import ManagedIdentity
from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.verbs import verb
from local.standins.web import Request, Response

API_VERSIONS = ("2026-04-01", "2025-07-01", "7.6", "7.5", "7.4", "7.3", "7.2", "7.1", "7.0")
PAGE_SIZE = 25
VAULT_RESOURCE = "https://vault.azure.net"
OPERATIONS = {
    ("PUT", "secrets", "{name}"): "set",
    ("GET", "secrets"): "list",
    ("GET", "secrets", "{name}"): "get",
    ("GET", "secrets", "{name}", "{version}"): "get",
    ("GET", "secrets", "{name}", "versions"): "versions",
    ("PATCH", "secrets", "{name}"): "update",
    ("PATCH", "secrets", "{name}", "{version}"): "update",
    ("DELETE", "secrets", "{name}"): "delete",
    ("GET", "deletedsecrets"): "list-deleted",
    ("GET", "deletedsecrets", "{name}"): "get-deleted",
    ("POST", "deletedsecrets", "{name}", "recover"): "recover",
    ("DELETE", "deletedsecrets", "{name}"): "purge",
}
INNER = {
    "ForbiddenByRbac": "Caller is not authorized to perform action on resource.",
    "ForbiddenByFirewall": "Client address is not authorized and caller is not a trusted service.",
}


class KeyVault(StandIn):
    """One vault with purge protection, for tokens of one managed identity.

    The SDK insists that the vault's host is a subdomain of the challenge's resource; of
    ``https://0.0.1:<port>`` the host ``127.0.0.1:<port>`` is one, so its check stays on.
    """

    name = "key_vault"

    def __init__(self, trust: Trust, identity: ManagedIdentity, port: int = 0) -> None:
        super().__init__(trust, port)
        self.secrets = Secrets()
        self._identity = identity

    @property
    def resource(self) -> str:
        return f"https://0.0.1:{self.port}"

    @verb
    def up(self) -> None:
        """Listen (again), for tokens that the identity gives for this port."""
        super().up()
        self._identity.serve_resource(self.resource)

    def settings(self) -> dict[str, str]:
        return {"KEY_VAULT_URL": self.url}

    def values(self, name: str) -> list[str]:
        """Every value a secret has had, oldest first, deleted or not; for tests to look at."""
        for secret in [*self.secrets.all(), *self.secrets.all(deleted=True)]:
            if secret.name.lower() == name.lower():
                return [version.value for version in secret.versions]
        return []

    @verb
    def names(self) -> list[str]:
        """The names of the secrets that are not deleted."""
        return [secret.name for secret in self.secrets.all()]

    @verb
    def deleted_names(self) -> list[str]:
        """The names of the soft-deleted secrets."""
        return [secret.name for secret in self.secrets.all(deleted=True)]

    @verb
    def describe(self, name: str) -> list[dict[str, Any]]:
        """A secret's versions, oldest first: id, times, enabled, tags, size, never the value."""
        for secret in [*self.secrets.all(), *self.secrets.all(deleted=True)]:
            if secret.name.lower() == name.lower():
                return [
                    v.attributes()
                    | {"version": v.id, "size": len(v.value.encode()), "tags": v.tags}
                    | {"deleted": secret.deleted is not None}
                    for v in secret.versions
                ]
        return []

    @verb
    def forbid(self, times: int = 0, inner: str = "ForbiddenByRbac") -> None:
        """Answer 403 the next *times* (0: until restored), by ForbiddenByRbac or ...Firewall."""
        self.fail_next(times, inner)

    @verb
    def empty(self) -> None:
        """Forget every secret, as only a new vault can."""
        self.secrets.clear()

    def endpoint(self, request: Request) -> str:
        """The operation: ``get``, ``set``, ``versions``, ``list-deleted`` ..."""
        shape = tuple(
            part if place != 1 else "{name}"
            for place, part in enumerate(request.path.strip("/").split("/"))
        )
        if len(shape) == 3 and shape[0] == "secrets" and shape[2] != "versions":
            shape = ("secrets", "{name}", "{version}")
        return OPERATIONS.get((request.method, *shape), "unknown")

    def answer(self, request: Request) -> Response:
        if not request.bearer():
            return self._challenge("")
        if not self._identity.verify(request.bearer(), self.resource, VAULT_RESOURCE):
            return self._challenge(', error="invalid_token"')
        version = request.query.get("api-version", "")
        if version not in API_VERSIONS:
            return _refused(RefusedError(400, "BadParameter", "Wrong api-version " + version))
        parts = request.path.strip("/").split("/")
        try:
            return self._operate(self.endpoint(request), parts, request)
        except RefusedError as error:
            return _refused(error)

    def refuse(self, fault: Fault, request: Request) -> Response:
        if fault.kind in INNER:
            return _refused(RefusedError(403, "Forbidden", INNER[fault.kind], fault.kind))
        return super().refuse(fault, request)

    def refusal_body(self, fault: Fault) -> dict[str, object]:
        codes = {"throttled": "Throttled", "unavailable": "ServiceUnavailable"}
        code = codes.get(fault.kind, "InternalServerError")
        return {"error": {"code": code, "message": "Request was not processed."}}

    def _challenge(self, extra: str) -> Response:
        authority = f"https://login.microsoftonline.com/{self._identity.tenant_id}"
        challenge = f'Bearer authorization="{authority}", resource="{self.resource}"{extra}'
        error = RefusedError(401, "Unauthorized", "AKV10000: Request is missing a Bearer token.")
        response = _refused(error)
        response.headers["WWW-Authenticate"] = challenge
        return response

    def _operate(self, operation: str, parts: list[str], request: Request) -> Response:
        name = parts[1] if len(parts) > 1 else ""
        version = parts[2] if len(parts) > 2 else ""
        match operation:
            case "set":
                return self._answered(*self.secrets.put(name, request.json()), value=True)
            case "get":
                return self._get(name, version)
            case "update":
                return self._update(name, version, request.json())
            case "list" | "versions" | "list-deleted":
                return self._list(operation, name, request)
        return self._operate_on_deleted(operation, name)

    def _operate_on_deleted(self, operation: str, name: str) -> Response:
        match operation:
            case "delete":
                return Response(200, self._deleted(self.secrets.delete(name)))
            case "get-deleted":
                return Response(200, self._deleted(self.secrets.get_deleted(name)))
            case "recover":
                secret = self.secrets.recover(name)
                return self._answered(secret, secret.versions[-1], value=False)
            case "purge":
                self.secrets.get_deleted(name)
                raise RefusedError(
                    403,
                    "Forbidden",
                    'Operation "purge" is not allowed because purge protection is enabled for '
                    "this vault.",
                    "ForbiddenByPolicy",
                )
        raise RefusedError(404, "NotFound", "There is no such operation.")

    def _get(self, name: str, version: str) -> Response:
        secret, found = self.secrets.get(name, version)
        if not found.enabled:
            raise RefusedError(
                403,
                "Forbidden",
                "Operation get is not allowed on a disabled secret.",
                "SecretDisabled",
            )
        return self._answered(secret, found, value=True)

    def _update(self, name: str, version: str, given: dict[str, Any]) -> Response:
        secret, found = self.secrets.get(name, version)
        change(found, given)
        return self._answered(secret, found, value=False)

    def _list(self, operation: str, name: str, request: Request) -> Response:
        items = self._items(operation, name)
        start = _number(request, "$skiptoken", 0)
        size = min(_number(request, "maxresults", PAGE_SIZE), PAGE_SIZE)
        page: dict[str, Any] = {"value": items[start : start + size], "nextLink": None}
        if start + size < len(items):
            query = f"api-version={request.query['api-version']}&maxresults={size}"
            page["nextLink"] = f"{self.url}{request.path}?{query}&$skiptoken={start + size}"
        return Response(200, page)

    def _items(self, operation: str, name: str) -> list[dict[str, Any]]:
        if operation == "list-deleted":
            return [self._deleted(secret) for secret in self.secrets.all(deleted=True)]
        if operation == "versions":
            secret, _ = self.secrets.get(name)
            return [self._bundle(secret, v, full=True) for v in secret.versions]
        return [self._bundle(s, s.versions[-1], full=False) for s in self.secrets.all()]

    def _answered(self, secret: StoredSecret, version: Version, *, value: bool) -> Response:
        shown = {"value": version.value} if value else {}
        return Response(200, shown | self._bundle(secret, version, full=True))

    def _bundle(self, secret: StoredSecret, version: Version, *, full: bool) -> dict[str, Any]:
        identifier = f"{self.url}/secrets/{secret.name}"
        bundle: dict[str, Any] = {
            "id": f"{identifier}/{version.id}" if full else identifier,
            "attributes": version.attributes(),
            "tags": version.tags,
        }
        if version.content_type is not None:
            bundle["contentType"] = version.content_type
        return bundle

    def _deleted(self, secret: StoredSecret) -> dict[str, Any]:
        when = secret.deleted or 0
        return self._bundle(secret, secret.versions[-1], full=True) | {
            "recoveryId": f"{self.url}/deletedsecrets/{secret.name}",
            "deletedDate": when,
            "scheduledPurgeDate": when + RETENTION_SECONDS,
        }


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or (name == "maxresults" and not int(text)):
        raise RefusedError(400, "BadParameter", f"{name} is not valid.")
    return int(text)


def _refused(error: RefusedError) -> Response:
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.inner:
        body["innererror"] = {"code": error.inner}
    headers = {"x-ms-request-id": str(uuid.uuid4())}
    return Response(error.status, {"error": body}, headers)
