"""The resources of one subscription: kept, finished and refused as their providers do it."""

import copy
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OURS = uuid.UUID("9d8f3a52-51c7-4b0e-9f37-5c8e60c1a004")


class ArmError(Exception):
    """What Resource Manager refuses, with its code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": str(self)}}


@dataclass
class Subscription:
    """*resources* by lower-case id; *site_host* is where a function app answers."""

    id: str
    tenant_id: str
    site_host: str
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    deleted_vaults: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    failing: dict[str, ArmError] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def put(self, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make or change one resource and return it finished."""
        kind = str(body["type"])
        if error := self.failing.pop(kind.lower(), None):
            raise error
        key = identifier.lower()
        self.require_group(identifier)
        before = self.sent.get(key)
        done = FINISH.get(kind.lower(), _as_it_is)(self, identifier, copy.deepcopy(body))
        change = "Create" if before is None else "NoChange" if before == body else "Modify"
        self.changes.append((change, identifier))
        self.sent[key] = copy.deepcopy(body)
        self.resources[key] = {"id": identifier, **done}
        return self.resources[key]

    def require_group(self, identifier: str) -> None:
        parts = identifier.split("/")
        if "resourceGroups" in parts and len(parts) > 5:
            group = "/".join(parts[:5])
            if group.lower() not in self.resources:
                name = parts[4]
                message = f"Resource group '{name}' could not be found."
                raise ArmError("ResourceGroupNotFound", message, 404)

    def get(self, identifier: str) -> dict[str, Any]:
        if found := self.resources.get(identifier.lower()):
            return found
        raise ArmError("ResourceNotFound", f"The Resource '{identifier}' was not found.", 404)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.resources.values() if str(one["type"]).lower() == kind.lower()]

    def delete_group(self, name: str) -> None:
        """Delete a group and everything in it; its vaults wait to be recovered."""
        prefix = f"/subscriptions/{self.id}/resourcegroups/{name}".lower()
        for key in [
            one for one in self.resources if one == prefix or one.startswith(f"{prefix}/")
        ]:
            gone = self.resources.pop(key)
            self.sent.pop(key, None)
            if str(gone["type"]).lower() == "microsoft.keyvault/vaults":
                self.deleted_vaults[str(gone["name"])] = gone


def _as_it_is(
    _subscription: Subscription, _identifier: str, body: dict[str, Any]
) -> dict[str, Any]:
    return body


def _identity(
    _subscription: Subscription, identifier: str, body: dict[str, Any]
) -> dict[str, Any]:
    body["properties"] = {
        "principalId": str(uuid.uuid5(OURS, f"principal {identifier.lower()}")),
        "clientId": str(uuid.uuid5(OURS, f"client {identifier.lower()}")),
        "tenantId": _subscription.tenant_id,
    }
    return body


def _storage(subscription: Subscription, _identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    name = str(body["name"])
    if not name.isalnum() or name != name.lower() or not 3 <= len(name) <= 24:
        raise ArmError("AccountNameInvalid", f"{name} is not a valid storage account name.")
    if name in subscription.taken:
        message = f"The storage account named {name} is already taken."
        raise ArmError("StorageAccountAlreadyTaken", message, 409)
    properties = body["properties"]
    properties["provisioningState"] = "Succeeded"
    properties["primaryEndpoints"] = {
        kind: f"https://{name}.{kind}.core.windows.net/" for kind in ("blob", "queue", "table")
    }
    return body


def _vault(subscription: Subscription, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    name, properties = str(body["name"]), body["properties"]
    mode = properties.pop("createMode", "default")
    if properties.get("enablePurgeProtection") is False:
        message = 'The property "enablePurgeProtection" cannot be set to false.'
        raise ArmError("BadRequest", message)
    if name in subscription.deleted_vaults and mode != "recover":
        message = f"A vault with the name '{name}' already exists in deleted state."
        raise ArmError("ConflictError", message, 409)
    if mode == "recover" and identifier.lower() not in subscription.resources:
        if name not in subscription.deleted_vaults:
            raise ArmError("VaultNotFound", f"There is no deleted vault '{name}'.", 404)
        del subscription.deleted_vaults[name]
    properties["vaultUri"] = f"https://{name}.vault.azure.net/"
    return body


def _topic(_subscription: Subscription, _identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    name = body["name"]
    body["properties"]["endpoint"] = f"https://{name}.norwayeast-1.eventgrid.azure.net/api/events"
    return body


def _insights(subscription: Subscription, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    subscription.get(body["properties"]["WorkspaceResourceId"])
    key = uuid.uuid5(OURS, identifier.lower())
    body["properties"]["ConnectionString"] = (
        f"InstrumentationKey={key};IngestionEndpoint=https://norwayeast-1.in.applicationinsights.azure.com/"
    )
    return body


def _role(subscription: Subscription, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    scope, _, name = identifier.partition("/providers/Microsoft.Authorization/")
    subscription.get(scope)
    uuid.UUID(name.split("/")[-1])
    principal = body["properties"]["principalId"]
    known = subscription.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")
    if principal not in [one["properties"]["principalId"] for one in known]:
        message = f"Principal {principal} does not exist in the directory."
        raise ArmError("PrincipalNotFound", message)
    body["properties"]["scope"] = scope
    return body


def _address(_subscription: Subscription, identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(identifier.lower().encode()).digest()
    body["properties"]["ipAddress"] = f"203.0.113.{digest[0]}"
    return body


def _site(subscription: Subscription, _identifier: str, body: dict[str, Any]) -> dict[str, Any]:
    properties = body["properties"]
    subscription.get(properties["serverFarmId"])
    for one in body["identity"]["userAssignedIdentities"]:
        subscription.get(one)
    storage = properties["functionAppConfig"]["deployment"]["storage"]
    account, _, container = storage["value"].removeprefix("https://").partition("/")
    suffix = f"/{account.split('.')[0]}/blobServices/default/containers/{container}".lower()
    if not any(one.endswith(suffix) for one in subscription.resources):
        raise ArmError("BadRequest", f"The container {storage['value']} does not exist.")
    if subnet := properties.get("virtualNetworkSubnetId"):
        subscription.get(subnet.rpartition("/subnets/")[0])
    host = subscription.site_host
    properties |= {
        "state": "Running",
        "defaultHostName": host,
        "hostNames": [host],
        "enabledHostNames": [host],
        "sku": "FlexConsumption",
        "hostNameSslStates": [
            {"name": host, "sslState": "Disabled", "hostType": "Standard"},
            {"name": host, "sslState": "Disabled", "hostType": "Repository"},
        ],
    }
    return body


FINISH: dict[str, Callable[[Subscription, str, dict[str, Any]], dict[str, Any]]] = {
    "microsoft.managedidentity/userassignedidentities": _identity,
    "microsoft.storage/storageaccounts": _storage,
    "microsoft.keyvault/vaults": _vault,
    "microsoft.eventgrid/topics": _topic,
    "microsoft.insights/components": _insights,
    "microsoft.authorization/roleassignments": _role,
    "microsoft.network/publicipaddresses": _address,
    "microsoft.web/sites": _site,
}
