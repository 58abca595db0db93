"""Resource Manager over HTTPS, as far as the az CLI asks it during a deployment."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from local.arm.deployments import Deployment, preview
from local.arm.directory import Directory
from local.arm.subscription import ArmError, Subscription
from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.web import Request, Response

SUBSCRIPTION = "5b1f0c9e-0000-4000-8000-00000000c0de"
EVERY_PROVIDER = (
    "Microsoft.Web",
    "Microsoft.Storage",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Insights",
    "Microsoft.OperationalInsights",
    "Microsoft.EventGrid",
    "Microsoft.Consumption",
    "Microsoft.Network",
    "Microsoft.App",
)
OWNER = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}

type Handler = Callable[..., Response]


@dataclass
class Running:
    """One deployment as Resource Manager remembers it."""

    scope: str
    name: str
    given: dict[str, Any]
    outputs: dict[str, Any] | None = None
    error: ArmError | None = None

    def body(self) -> dict[str, Any]:
        kinds = {str: "String", bool: "Bool", int: "Int", list: "Array", dict: "Object"}
        parameters = {
            name: {"type": kinds.get(type(one["value"]), "Object"), "value": one["value"]}
            for name, one in self.given.items()
        }
        properties: dict[str, Any] = {
            "provisioningState": "Failed" if self.error else "Succeeded",
            "parameters": parameters,
            "mode": "Incremental",
        }
        if self.outputs is not None:
            properties["outputs"] = self.outputs
        if self.error:
            properties["error"] = self.error.body()["error"]
        return {
            "id": f"{self.scope}/providers/Microsoft.Resources/deployments/{self.name}",
            "name": self.name,
            "type": "Microsoft.Resources/deployments",
            "location": "norwayeast",
            "properties": properties,
        }


class Manager(StandIn):
    """One subscription that one caller owns."""

    name: ClassVar[str] = "arm"

    def __init__(self, trust: Trust, tenant_id: str, site_host: str, directory: Directory) -> None:
        super().__init__(trust)
        self.sign_in_url = "https://login.microsoftonline.com"
        self.graph_url = directory.url
        self.directory = directory
        self.subscription = Subscription(SUBSCRIPTION, tenant_id, site_host)
        self.permissions: list[dict[str, Any]] = [OWNER]
        self.registered = set(EVERY_PROVIDER)
        self.deployments: dict[str, Running] = {}
        self.operations: dict[str, Running] = {}
        self.hidden_roles = 0
        self.routes = _routes(self)

    def endpoint(self, request: Request) -> str:
        return request.path.rstrip("/").rpartition("/")[2]

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/metadata/"):
            return Response(200, self.metadata())
        if request.bearer() is None:
            return Response(401, ArmError("AuthenticationFailed", "No token.").body())
        if "api-version" not in request.query:
            return Response(400, ArmError("MissingApiVersionParameter", request.path).body())
        for method, pattern, handler in self.routes:
            found = re.fullmatch(pattern, request.path, re.IGNORECASE)
            if method == request.method and found:
                try:
                    return handler(request, *found.groups())
                except ArmError as error:
                    return Response(error.status, error.body())
        message = f"{request.method} {request.path} is not known here"
        return Response(404, ArmError("NotKnownHere", message).body())

    def metadata(self) -> dict[str, Any]:
        return {
            "name": "AzureCloud",
            "portal": "https://portal.azure.com",
            "resourceManager": self.url,
            "authentication": {
                "loginEndpoint": self.sign_in_url,
                "audiences": ["https://management.core.windows.net/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "graphAudience": self.graph_url,
            "graph": self.graph_url,
            "microsoftGraphResourceId": self.graph_url,
            "appServiceResourceId": "https://appservice.azure.com",
            "gallery": "https://gallery.azure.com/",
            "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
        }

    # subscription --------------------------------------------------------------------------

    def account(self, *_: object) -> Response:
        return Response(200, self.described())

    def accounts(self, *_: object) -> Response:
        return Response(200, {"value": [self.described()]})

    def described(self) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{SUBSCRIPTION}",
            "subscriptionId": SUBSCRIPTION,
            "tenantId": self.subscription.tenant_id,
            "displayName": "Rehearsal",
            "state": "Enabled",
        }

    def tenants(self, *_: object) -> Response:
        tenant = self.subscription.tenant_id
        return Response(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant}]})

    def allowed(self, *_: object) -> Response:
        return Response(200, {"value": self.permissions})

    def providers(self, *_: object) -> Response:
        return Response(200, {"value": [self.provider_body(one) for one in EVERY_PROVIDER]})

    def provider(self, _request: Request, name: str) -> Response:
        return Response(200, self.provider_body(name))

    def register(self, _request: Request, name: str) -> Response:
        self.registered.add(name)
        return Response(200, self.provider_body(name))

    def provider_body(self, name: str) -> dict[str, Any]:
        state = "Registered" if name in self.registered else "NotRegistered"
        return {"namespace": name, "registrationState": state, "resourceTypes": []}

    def free(self, request: Request) -> Response:
        name = request.json()["name"]
        if name not in self.subscription.taken:
            return Response(200, {"nameAvailable": True})
        return Response(200, {"nameAvailable": False, "reason": "AlreadyExists"})

    def deleted_vaults(self, *_: object) -> Response:
        listed = [
            {
                "name": name,
                "properties": {
                    "scheduledPurgeDate": "2027-02-20T00:00:00Z",
                    "vaultId": vault["id"],
                    "location": vault["location"],
                },
            }
            for name, vault in self.subscription.deleted_vaults.items()
        ]
        return Response(200, {"value": listed})

    # resources -----------------------------------------------------------------------------

    def groups(self, request: Request, name: str) -> Response:
        identifier = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
        if request.method == "DELETE":
            self.subscription.get(identifier)
            self.subscription.delete_group(name)
            return Response(200)
        found = self.subscription.resources.get(identifier.lower())
        if found is None:
            message = f"Resource group '{name}' could not be found."
            raise ArmError("ResourceGroupNotFound", message, 404)
        return Response(200, found)

    def in_group(self, request: Request) -> Response:
        group = re.search(r"resourceGroup eq '([^']+)'", request.query.get("$filter", ""))
        name = group[1] if group else ""
        prefix = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{name}/providers/".lower()
        found = [one for key, one in self.subscription.resources.items() if key.startswith(prefix)]
        return Response(200, {"value": found})

    def resource(self, request: Request) -> Response:
        return Response(200, self.subscription.get(request.path))

    def roles(self, *_: object) -> Response:
        found = self.subscription.of_type("Microsoft.Authorization/roleAssignments")
        if self.hidden_roles:
            self.hidden_roles -= 1
            found = found[:-1]
        return Response(200, {"value": found})

    def role_definitions(self, *_: object) -> Response:
        return Response(200, {"value": []})

    def app_settings(self, _request: Request, site: str) -> Response:
        return Response(200, self.subscription.get(f"{site}/config/appsettings"))

    def host_keys(self, *_: object) -> Response:
        return Response(200, {"masterKey": "not-a-real-key", "functionKeys": {}, "systemKeys": {}})

    def stacks(self, *_: object) -> Response:
        """What Flex Consumption runs, in the shape az reads."""
        settings = {
            "appSettingsDictionary": {"FUNCTIONS_WORKER_RUNTIME": "python"},
            "Sku": [{"skuCode": "FC1"}],
            "gitHubActionSettings": {"isSupported": True, "supportedVersion": "3.13"},
            "appInsightsSettings": {"isSupported": True},
            "isDefault": True,
        }
        minor = {"value": "3.13", "stackSettings": {"linuxRuntimeSettings": settings}}
        majors = [{"value": "3", "minorVersions": [minor]}]
        stack = {"name": "python", "properties": {"majorVersions": majors}}
        return Response(200, {"value": [stack]})

    # deployments ---------------------------------------------------------------------------

    def prepare(self, request: Request, scope: str) -> Deployment:
        """Read what az sends: JSON but for the name of the template, which it does not quote."""
        text = re.sub(rb"([{,]\s*)template:", rb'\1"template":', request.body, count=1)
        properties = json.loads(text)["properties"]
        group = re.search(r"/resourceGroups/([^/]+)", scope, re.IGNORECASE)
        return Deployment(
            self.subscription,
            properties["template"],
            properties.get("parameters") or {},
            group[1] if group else None,
            self.directory.put,
        )

    def validate(self, request: Request, scope: str, name: str) -> Response:
        running = Running(scope, name, self.prepare(request, scope).given)
        return Response(200, running.body())

    def deploy(self, request: Request, scope: str, name: str) -> Response:
        deployment = self.prepare(request, scope)
        running = Running(scope, name, deployment.given)
        try:
            running.outputs = deployment.run()
        except ArmError as error:
            running.error = error
        self.deployments[f"{scope}/{name}".lower()] = running
        operation = str(uuid.uuid4())
        self.operations[operation] = running
        begun = running.body()
        begun["properties"] = {"provisioningState": "Accepted"}
        path = f"{begun['id']}/operationStatuses/{operation}"
        where = f"{self.url}{path}?api-version=2024-11-01"
        return Response(201, begun, {"Azure-AsyncOperation": where, "Retry-After": "0"})

    def operation(self, _request: Request, operation: str) -> Response:
        running = self.operations[operation]
        if running.error is None:
            return Response(200, {"status": "Succeeded"})
        details = running.error.body()["error"]
        error = {"code": "DeploymentFailed", "message": str(running.error), "details": [details]}
        return Response(200, {"status": "Failed", "error": error})

    def deployment(self, _request: Request, scope: str, name: str) -> Response:
        if found := self.deployments.get(f"{scope}/{name}".lower()):
            return Response(200, found.body())
        raise ArmError("DeploymentNotFound", f"Deployment '{name}' could not be found.", 404)

    def what_if(self, request: Request, scope: str, _name: str) -> Response:
        changes = [
            {"resourceId": identifier, "changeType": change, "before": {}, "after": {}}
            for change, identifier in preview(self.prepare(request, scope))
        ]
        return Response(200, {"status": "Succeeded", "properties": {"changes": changes}})


def _routes(manager: Manager) -> list[tuple[str, str, Handler]]:
    """Return what is answered: method, path, and who answers."""
    subscription = rf"/subscriptions/{SUBSCRIPTION}"
    scope = rf"({subscription}(?:/resourceGroups/[^/]+)?)"
    deployments = rf"{scope}/providers/Microsoft\.Resources/deployments"
    site = rf"({subscription}/resourceGroups/[^/]+/providers/Microsoft\.Web/sites/[^/]+)"
    return [
        ("GET", r"/subscriptions", manager.accounts),
        ("GET", r"/tenants", manager.tenants),
        ("GET", r"/providers/Microsoft\.Web/locations/\w+/functionAppStacks", manager.stacks),
        ("GET", subscription, manager.account),
        (
            "GET",
            rf"{subscription}/providers/Microsoft\.Authorization/permissions",
            manager.allowed,
        ),
        ("GET", rf"{subscription}/providers", manager.providers),
        ("GET", rf"{subscription}/providers/([\w.]+)", manager.provider),
        ("POST", rf"{subscription}/providers/([\w.]+)/register", manager.register),
        ("POST", rf"{subscription}/providers/[\w.]+/checkNameAvailability", manager.free),
        (
            "GET",
            rf"{subscription}/providers/Microsoft\.KeyVault/deletedVaults",
            manager.deleted_vaults,
        ),
        (
            "GET",
            rf"{subscription}/providers/Microsoft\.Authorization/roleAssignments",
            manager.roles,
        ),
        (
            "GET",
            r".*/providers/Microsoft\.Authorization/roleDefinitions",
            manager.role_definitions,
        ),
        ("GET", rf"{subscription}/resourceGroups/([^/]+)", manager.groups),
        ("HEAD", rf"{subscription}/resourceGroups/([^/]+)", manager.groups),
        ("DELETE", rf"{subscription}/resourceGroups/([^/]+)", manager.groups),
        ("GET", rf"{subscription}/resources", manager.in_group),
        ("POST", rf"{deployments}/([^/]+)/validate", manager.validate),
        ("POST", rf"{deployments}/([^/]+)/whatIf", manager.what_if),
        ("PUT", rf"{deployments}/([^/]+)", manager.deploy),
        ("GET", rf"{deployments}/([^/]+)", manager.deployment),
        ("GET", r".*/operationStatuses/([^/]+)", manager.operation),
        ("POST", rf"{site}/config/appsettings/list", manager.app_settings),
        ("POST", rf"{site}/host/default/listkeys", manager.host_keys),
        ("GET", rf"{subscription}/resourceGroups/[^/]+/providers/.+", manager.resource),
    ]
