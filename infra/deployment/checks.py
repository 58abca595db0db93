"""What is checked before anything is changed: signed in, allowed to, everything free."""

import fnmatch
import re

from .az import Az, AzError, DeploymentError, Json, items, member, say, text
from .parameters import Parameters

ACTIONS = (
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Web/sites/write",
    "Microsoft.Storage/storageAccounts/write",
    "Microsoft.KeyVault/vaults/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Consumption/budgets/write",
)
PROVIDERS = (
    "Microsoft.Web",
    "Microsoft.Storage",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Insights",
    "Microsoft.OperationalInsights",
    "Microsoft.EventGrid",
    "Microsoft.Consumption",
)
AZ_CLI = (2, 60)
"""Publishes to Flex Consumption since then."""
BICEP = (0, 36, 1)
"""Knows modules without names, and the Microsoft Graph extension, since then."""
PRIVATE_PROVIDERS = ("Microsoft.App", "Microsoft.Network")


def signed_in(subscription: str | None) -> tuple[Az, str, str]:
    """Return az bound to the subscription, its id and the directory's id."""
    az = Az(subscription)
    try:
        account = az.ask("account", "show")
    except AzError as error:
        raise DeploymentError(
            f"Not signed in, or no such subscription: {error.said}",
            "Run 'az login'; 'az account list' shows what you may choose with --subscription.",
        ) from error
    found = text(account, "id")
    say(f"  subscription {text(account, 'name')} ({found}) as {text(account, 'user', 'name')}")
    return Az(found), found, text(account, "tenantId")


def tools(az: Az) -> None:
    """Raise when az or its Bicep compiler is too old, or the compiler is not there."""
    found = _version(text(az.ask("version", anywhere=True), "azure-cli"))
    if found < AZ_CLI:
        raise DeploymentError(
            f"This az CLI is too old: {_dotted(found)}; {_dotted(AZ_CLI)} is needed.",
            "Run 'az upgrade'.",
        )
    try:
        said = az.run("bicep", "version", anywhere=True)
    except AzError as error:
        raise DeploymentError(
            f"az cannot run the Bicep compiler: {error.said}", "Run 'az bicep install'."
        ) from error
    if (found := _version(said)) < BICEP:
        raise DeploymentError(
            f"This Bicep compiler is too old: {_dotted(found)}; {_dotted(BICEP)} is needed.",
            "Run 'az bicep upgrade'.",
        )


def _version(said: str) -> tuple[int, ...]:
    """Return the first dotted number in what a tool says of itself; empty when there is none."""
    found = re.search(r"\d+(?:\.\d+)+", said)
    return tuple(int(one) for one in found[0].split(".")) if found else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(one) for one in version) or "of no known version"


def rights(az: Az, subscription: str) -> None:
    """Raise when the caller may not do what the templates do."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions"
    granted = items(member(az.get(f"{path}?api-version=2022-04-01"), "value"))
    if missing := [action for action in ACTIONS if not _allows(granted, action)]:
        raise DeploymentError(
            f"You may not do this in the subscription: {', '.join(missing)}.",
            "Ask for Owner, or for Contributor together with Role Based Access Control "
            f"Administrator, on /subscriptions/{subscription}.",
        )


def _allows(granted: list[Json], action: str) -> bool:
    """Tell whether one of the permissions *granted* covers *action*, as Azure reads them."""

    def covers(patterns: Json) -> bool:
        return any(
            isinstance(one, str) and fnmatch.fnmatchcase(action.lower(), one.lower())
            for one in items(patterns)
        )

    return any(
        covers(member(one, "actions")) and not covers(member(one, "notActions")) for one in granted
    )


def missing_providers(az: Az, parameters: Parameters) -> list[str]:
    """Return the resource providers that the subscription has not registered yet."""
    listed = items(az.ask("provider", "list"))
    ready = {
        text(one, "namespace").lower()
        for one in listed
        if text(one, "registrationState") == "Registered"
    }
    wanted = PROVIDERS + (PRIVATE_PROVIDERS if parameters.private else ())
    return [one for one in wanted if one.lower() not in ready]


def existing(az: Az, parameters: Parameters) -> set[str]:
    """Return the names of what the resource group holds already."""
    if az.find("group", "show", "--name", parameters.group) is None:
        return set()
    return {
        text(one, "name")
        for one in items(az.ask("resource", "list", "--resource-group", parameters.group))
    }


def names(az: Az, subscription: str, parameters: Parameters) -> str:
    """Raise when a name is taken by somebody else; return the create mode of the vault."""
    ours = existing(az, parameters)
    deleted = _deleted_vault(az, parameters) if parameters.vault not in ours else False
    taken: list[str] = []
    if parameters.storage not in ours:
        answer = az.ask("storage", "account", "check-name", "--name", parameters.storage)
        taken += _taken(parameters.storage, answer)
    for name, kind, version in (
        (parameters.vault, "Microsoft.KeyVault/vaults", "2026-02-01"),
        (parameters.application, "Microsoft.Web/sites", "2025-03-01"),
    ):
        if name in ours or (deleted and name == parameters.vault):
            continue
        provider = kind.partition("/")[0]
        path = f"/subscriptions/{subscription}/providers/{provider}/checkNameAvailability"
        body: Json = {"name": name, "type": kind}
        taken += _taken(name, az.post(f"{path}?api-version={version}", body))
    if taken:
        raise DeploymentError(
            "Names that have to be unique in the world are taken: " + "; ".join(taken),
            "Choose another 'name' in the parameters file.",
        )
    return "recover" if deleted else "default"


def _taken(name: str, answer: Json) -> list[str]:
    if member(answer, "nameAvailable") is True:
        return []
    return [f"{name} ({text(answer, 'reason') or 'no reason given'})"]


def _deleted_vault(az: Az, parameters: Parameters) -> bool:
    """Tell whether a deleted vault of this name waits to be recovered.

    Raises DeploymentError when it belongs to another resource group or region: it can be recovered
    only where it was.
    """
    name = parameters.vault
    listed = items(az.ask("keyvault", "list-deleted", "--resource-type", "vault"))
    found = next((one for one in listed if text(one, "name") == name), None)
    if found is None:
        return False
    region = text(found, "properties", "location")
    home = text(found, "properties", "vaultId").lower()
    until = text(found, "properties", "scheduledPurgeDate")[:10]
    here = parameters.location.lower().replace(" ", "")
    if f"/resourcegroups/{parameters.group}/" not in home or region != here:
        raise DeploymentError(
            f"A deleted vault has the name {name} until {until}, and it belongs elsewhere: "
            f"{home} in {region}.",
            "Choose another 'name' in the parameters file, or the 'location' where the vault was.",
        )
    say(f"  the deleted vault {name} (kept until {until}) is recovered with its secrets")
    return True
