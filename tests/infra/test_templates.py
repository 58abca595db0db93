"""The templates, evaluated as Resource Manager would: they deploy, twice, and refuse."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.deployment.registration import DELEGATED_PERMISSIONS
from local.arm.bicep.compiler import compile_file
from local.arm.deployments import Deployment
from local.arm.directory import Directory
from local.arm.subscription import ArmError, Subscription
from local.standins.trust import Trust

INFRA = Path(__file__).resolve().parent.parent.parent / "infra"
FILLED_IN = {
    "entraClientId": "11111111-2222-4333-8444-555555555555",
    "budgetStartDate": "2026-12-01",
}


def subscription() -> Subscription:
    return Subscription("a-subscription", "a-tenant", "func-x.azurewebsites.net")


def given(installation: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    path = INFRA / "parameters" / f"{installation}.json"
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    return values | {name: {"value": value} for name, value in (FILLED_IN | more).items()}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return compile_file(INFRA / "main.bicep")


@pytest.mark.parametrize("installation", ["test", "production"])
@pytest.mark.parametrize("private", [False, True])
def test_they_deploy_and_a_second_run_changes_nothing(
    template: dict[str, Any], installation: str, *, private: bool
) -> None:
    there = subscription()
    parameters = given(installation, privateNetworking=private)
    Deployment(there, template, parameters).run()
    assert {change for change, _ in there.changes} == {"Create"}
    assert bool(there.of_type("Microsoft.Network/privateEndpoints")) is private
    site = there.of_type("Microsoft.Web/sites")[0]
    subnet = site["properties"]["virtualNetworkSubnetId"]
    assert bool(subnet) is private
    there.changes.clear()
    Deployment(there, template, parameters).run()
    assert {change for change, _ in there.changes} == {"NoChange"}


def test_stage_one_makes_what_everything_else_finds_unchanged(template: dict[str, Any]) -> None:
    there, values = subscription(), given("production")
    first = {name: values[name] for name in ("name", "location", "tags")}
    made = Deployment(there, compile_file(INFRA / "identity.bicep"), first).run()
    there.changes.clear()
    outputs = Deployment(there, template, values).run()
    changed = {identifier for change, identifier in there.changes if change == "Modify"}
    assert changed == set()
    assert outputs["principalId"] == made["principalId"]


def test_the_settings_hold_the_addresses_of_what_was_made(template: dict[str, Any]) -> None:
    there = subscription()
    Deployment(there, template, given("production", publicUrl="")).run()
    settings = there.of_type("Microsoft.Web/sites/config")[0]["properties"]
    assert settings["PUBLIC_URL"] == "https://func-x.azurewebsites.net"
    assert settings["KEY_VAULT_URL"] == "https://kv-quick3mail.vault.azure.net/"
    assert settings["ENTRA_AUTHORITY"] == "https://login.microsoftonline.com/organizations"
    tables = "https://stquick3mail.table.core.windows.net/"
    assert settings["AzureWebJobsStorage__tableServiceUri"] == tables
    assert all(isinstance(value, str) for value in settings.values())


def test_the_function_app_is_as_flex_consumption_wants_it(template: dict[str, Any]) -> None:
    there = subscription()
    Deployment(there, template, given("production")).run()
    config = there.of_type("Microsoft.Web/sites")[0]["properties"]["functionAppConfig"]
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    scale = config["scaleAndConcurrency"]
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == 32
    assert scale["instanceMemoryMB"] == 2048
    assert [one["name"] for one in scale["alwaysReady"]] == ["http", "function:deliver"]
    url = config["deployment"]["storage"]["value"]
    assert url == "https://stquick3mail.blob.core.windows.net/deployments"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "x"}, "outside its limits"),
        ({"storageSku": "Premium_LRS"}, "may not be"),
        ({"contentDays": 5}, "outside its limits"),
        ({"alertEmails": []}, "outside its limits"),
        ({"smtpPort": "587"}, "has to be int"),
        ({"colour": "red"}, "not declared"),
    ],
)
def test_wrong_parameters_are_refused(
    template: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArmError, match=said):
        Deployment(subscription(), template, given("production", **wrong)).run()


def test_a_deleted_vault_comes_back_only_when_asked(template: dict[str, Any]) -> None:
    there, values = subscription(), given("production")
    Deployment(there, template, values).run()
    there.delete_group("rg-quick3mail")
    with pytest.raises(ArmError, match="deleted state"):
        Deployment(there, template, values).run()
    Deployment(there, template, given("production", vaultCreateMode="recover")).run()
    assert there.of_type("Microsoft.KeyVault/vaults")


def test_the_graph_extension_registers_the_identity_once(tmp_path: Path) -> None:
    there = subscription()
    name = {"name": {"value": "quick3mail"}}
    first = given("production")
    place = {key: first[key] for key in ("location", "tags")}
    identity = Deployment(there, compile_file(INFRA / "identity.bicep"), name | place).run()
    values = name | {key: first[key] for key in ("productName", "publicUrl")}
    template = compile_file(INFRA / "entra.bicep")
    with Trust(tmp_path) as trust:
        graph = Directory(trust)
        made = Deployment(there, template, values, "rg-quick3mail", graph.put).run()
        graph.changes.clear()
        again = Deployment(there, template, values, "rg-quick3mail", graph.put).run()
    assert again == made
    assert graph.changes == []
    application = next(iter(graph.applications.values()))
    assert application["appId"] == made["clientId"]["value"]
    access = application["requiredResourceAccess"][0]["resourceAccess"]
    assert {one["id"] for one in access} == set(DELEGATED_PERMISSIONS.values())
    credential = graph.credentials[application["id"]]["managed-identity"]
    assert credential["subject"] == identity["principalId"]["value"]
