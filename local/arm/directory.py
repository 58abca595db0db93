"""Microsoft Graph, as far as 'az ad app' and 'az ad sp' ask it."""

import re
import uuid
from typing import Any, ClassVar

from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.web import Request, Response

CREDENTIALS = r"/v1\.0/applications/([\w-]+)/federatedIdentityCredentials(?:/([\w-]+))?"


class Directory(StandIn):
    """App registrations, their service principals and federated credentials."""

    name: ClassVar[str] = "graph"

    def __init__(self, trust: Trust) -> None:
        super().__init__(trust)
        self.applications: dict[str, dict[str, Any]] = {}
        self.principals: dict[str, dict[str, Any]] = {}
        self.collections = {
            "applications": self.applications,
            "servicePrincipals": self.principals,
        }
        self.credentials: dict[str, dict[str, dict[str, Any]]] = {}
        self.changes: list[str] = []
        self.may_register = True

    def reset_to_nothing(self) -> None:
        """Forget every registration, as if none had been made."""
        for kept in (self.applications, self.principals, self.credentials):
            kept.clear()
        self.changes.clear()

    def endpoint(self, request: Request) -> str:
        return f"{request.method} {request.path.rstrip('/').rpartition('/')[2]}"

    def answer(self, request: Request) -> Response:
        if request.bearer() is None:
            return _refused(401, "InvalidAuthenticationToken", "Access token is empty.")
        path = request.path
        if request.method != "GET" and not self.may_register:
            message = "Insufficient privileges to complete the operation."
            return _refused(403, "Authorization_RequestDenied", message)
        for kind, kept in self.collections.items():
            if path == f"/v1.0/{kind}":
                return self.all(request, kept)
            if found := re.fullmatch(rf"/v1\.0/{kind}/([\w-]+)", path):
                return self.one(request, kept, found[1])
        if found := re.fullmatch(CREDENTIALS, path):
            return self.credential(request, found[1], found[2])
        return _refused(404, "NotKnownHere", f"{request.method} {path}")

    def all(self, request: Request, kept: dict[str, dict[str, Any]]) -> Response:
        if request.method == "POST":
            body = request.json()
            made = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4()), **body}
            if kept is self.principals:
                if made["appId"] in [one["appId"] for one in kept.values()]:
                    message = f"The service principal of {made['appId']} is already in use."
                    return _refused(409, "Request_MultipleObjectsWithSameKeyValue", message)
                made["servicePrincipalNames"] = [made["appId"]]
            kept[made["id"]] = made
            self.changes.append(f"create {request.path}")
            return Response(201, made)
        found = [one for one in kept.values() if _fits(one, request.query.get("$filter", ""))]
        return Response(200, {"value": found})

    def one(self, request: Request, kept: dict[str, dict[str, Any]], key: str) -> Response:
        if key not in kept:
            message = (
                f"Resource '{key}' does not exist or one of its queried references is absent."
            )
            return _refused(404, "Request_ResourceNotFound", message)
        if request.method == "PATCH":
            before = dict(kept[key])
            kept[key] |= request.json()
            if kept[key] != before:
                self.changes.append(f"update {request.path}")
            return Response(204)
        if request.method == "DELETE":
            del kept[key]
            self.changes.append(f"delete {request.path}")
            return Response(204)
        return Response(200, kept[key])

    def put(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        """Make or mend one object as the deployments' extension does; found by its own key."""
        if kind == "Microsoft.Graph/applications":
            return self._keep("applications", "uniqueName", given)
        if kind == "Microsoft.Graph/servicePrincipals":
            return self._keep("servicePrincipals", "appId", given)
        unique, _, name = given["name"].partition("/")
        owner = next(one for one in self.applications.values() if one.get("uniqueName") == unique)
        kept = self.credentials.setdefault(owner["id"], {})
        wanted = {"id": str(uuid.uuid4())} | kept.get(name, {}) | given | {"name": name}
        if kept.get(name) != wanted:
            self.changes.append(f"put {kind}")
        kept[name] = wanted
        return wanted

    def _keep(self, collection: str, key: str, given: dict[str, Any]) -> dict[str, Any]:
        kept = self.collections[collection]
        before = next((one for one in kept.values() if one.get(key) == given[key]), None)
        made = before or {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4())}
        if (wanted := made | given) != before:
            self.changes.append(f"put {collection}")
        kept[wanted["id"]] = wanted
        return wanted

    def credential(self, request: Request, application: str, name: str | None) -> Response:
        kept = self.credentials.setdefault(application, {})
        if request.method == "GET":
            return Response(200, {"value": list(kept.values())})
        body = request.json()
        kept[name or body["name"]] = {"id": str(uuid.uuid4()), **body}
        self.changes.append(f"{request.method} {request.path}")
        return Response(201 if request.method == "POST" else 204, kept[name or body["name"]])


def _fits(one: dict[str, Any], condition: str) -> bool:
    """Tell whether *one* meets the few OData filters that az uses."""
    if not condition:
        return True
    if found := re.fullmatch(r"startswith\((\w+),\s*'(.*)'\)", condition):
        return str(one.get(found[1], "")).startswith(found[2])
    if found := re.fullmatch(r"(\w+) eq '?(.*?)'?", condition):
        return str(one.get(found[1])) == found[2]
    if found := re.fullmatch(r"(\w+)/any\(\w+:\s*\w+ eq '(.*)'\)", condition):
        return found[2] in one.get(found[1], [])
    return False


def _refused(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
