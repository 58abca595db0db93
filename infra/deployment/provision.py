"""Brings the resources into being from the templates, or shows what that would change."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from .az import Az, DeploymentError, Json, items, member, patiently, text
from .parameters import Parameters

INFRA = Path(__file__).resolve().parent.parent
NOBODY = "00000000-0000-0000-0000-000000000000"
STAGE_ONE = ("name", "location", "tags")


def identity(az: Az, parameters: Parameters) -> str:
    """Make the resource group and the identity; return the identity's object id."""
    with TemporaryDirectory() as folder:
        values = Path(folder) / "identity.json"
        parameters.write(values, *STAGE_ONE)
        made = _deploy(az, parameters, "identity", values)
    return text(made, "principalId", "value")


def everything(az: Az, parameters: Parameters, filled: dict[str, Json]) -> Json:
    """Make everything; return the outputs of main.bicep."""
    with TemporaryDirectory() as folder:
        values = Path(folder) / "main.json"
        parameters.write(values, **filled)
        return _deploy(az, parameters, "main", values)


def _deploy(az: Az, parameters: Parameters, template: str, values: Path) -> Json:
    made = az.ask(
        *("deployment", "sub", "create"),
        *("--name", f"{parameters.name}-{template}"),
        *("--location", parameters.location),
        *("--template-file", str(INFRA / f"{template}.bicep")),
        *("--parameters", f"@{values}"),
    )
    if text(made, "properties", "provisioningState") != "Succeeded":
        raise DeploymentError(
            f"The deployment of {template}.bicep ended as "
            f"'{text(made, 'properties', 'provisioningState')}'.",
            "Look at it under the subscription's deployments in the portal, then run again.",
        )
    return member(made, "properties", "outputs")


def preview(az: Az, parameters: Parameters, filled: dict[str, Json]) -> str:
    """Return what deploying would change, in az's own words; nothing is changed."""
    shown = ""
    with TemporaryDirectory() as folder:
        for template, names, more in (("identity", STAGE_ONE, {}), ("main", (), filled)):
            values = Path(folder) / f"{template}.json"
            parameters.write(values, *names, **more)
            shown += az.run(
                *("deployment", "sub", "what-if", "--no-prompt"),
                *("--name", f"{parameters.name}-{template}"),
                *("--location", parameters.location),
                *("--template-file", str(INFRA / f"{template}.bicep")),
                *("--parameters", f"@{values}"),
            )
    return shown


def entra_by_template(az: Az, parameters: Parameters) -> str:
    """Make the app registration with the Graph extension; return its client id."""
    values: dict[str, Json] = {
        "name": parameters.name,
        "productName": parameters.product_name,
        "publicUrl": parameters.public_url,
        "personalAccounts": parameters.personal_accounts,
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "entra.json"
        Parameters(values).write(path)
        made = az.ask(
            *("deployment", "group", "create"),
            *("--name", f"{parameters.name}-entra"),
            *("--resource-group", parameters.group),
            *("--template-file", str(INFRA / "entra.bicep")),
            *("--parameters", f"@{path}"),
        )
    return text(made, "properties", "outputs", "clientId", "value")


def budget_start(az: Az, subscription: str, parameters: Parameters) -> str:
    """Return the first day the budget has, or this month's when there is no budget yet."""
    path = (
        f"/subscriptions/{subscription}/resourceGroups/{parameters.group}"
        f"/providers/Microsoft.Consumption/budgets/budget-{parameters.name}?api-version=2024-08-01"
    )
    begun = text(az.get(path), "properties", "timePeriod", "startDate")[:10]
    return begun or datetime.now(UTC).strftime("%Y-%m-01")


def known_client_id(az: Az, parameters: Parameters) -> str | None:
    """Return the client id the function app has been given before, or None."""
    before = az.find("deployment", "sub", "show", "--name", f"{parameters.name}-main")
    return text(before, "properties", "parameters", "entraClientId", "value") or None


def wait_for_roles(az: Az, principal: str, expected: Json) -> None:
    """Wait until every role assignment that was made is visible."""
    wanted = {one.lower() for one in items(expected) if isinstance(one, str)}

    def missing() -> str:
        listed = az.ask("role", "assignment", "list", "--assignee-object-id", principal, "--all")
        seen = {text(one, "id").lower() for one in items(listed)}
        return (
            f"{len(wanted - seen)} role assignments are not visible yet" if wanted - seen else ""
        )

    patiently(missing, minutes=10)
