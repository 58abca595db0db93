"""What the Bicep says, held against the rules of the house; the compiler is not needed for it."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from local.arm.bicep.compiler import compile_file
from local.arm.bicep.parser import BicepError, Parser, parse
from local.arm.bicep.syntax import Call, Declaration, File, Literal, Loop, Name, Object, walk

ROOT = Path(__file__).resolve().parent.parent.parent
INFRA = ROOT / "infra"
PATHS = sorted(INFRA.rglob("*.bicep"))
FILES = [parse(path, shown=path.relative_to(INFRA).as_posix()) for path in PATHS]

API_VERSIONS = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Consumption/budgets": "2024-08-01",
    "Microsoft.EventGrid/topics": "2025-02-15",
    "Microsoft.Graph/applications": "v1.0",
    "Microsoft.Graph/applications/federatedIdentityCredentials": "v1.0",
    "Microsoft.Graph/servicePrincipals": "v1.0",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",  # no stable one exists
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.KeyVault/vaults": "2026-02-01",  # older ones end on 2027-02-27
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/natGateways": "2025-05-01",
    "Microsoft.Network/networkSecurityGroups": "2025-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
    "Microsoft.Network/privateEndpoints": "2025-05-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "2025-05-01",
    "Microsoft.Network/publicIPAddresses": "2025-05-01",
    "Microsoft.Network/virtualNetworks": "2025-05-01",
    "Microsoft.Network/virtualNetworks/subnets": "2025-05-01",
    "Microsoft.OperationalInsights/workspaces": "2025-07-01",
    "Microsoft.Resources/resourceGroups": "2025-04-01",
    "Microsoft.Storage": "2025-06-01",
    "Microsoft.Web": "2025-03-01",
}
ROLES = {
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "storageQueueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "eventGridDataSender": "d5a91429-5739-47e2-a06b-3470a27159e7",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
EVENTS = {
    "client_credential_failing",
    "message_uncertain",
    "message_held",
    "wakeup_poisoned",
    "unknown_reply",
    "upkeep",
}


def of(path: str) -> File:
    return next(one for one in FILES if one.path == path)


def declared(file: File, name: str) -> Declaration:
    found = file.named(name)
    assert found is not None, name
    return found


def used(file: File) -> Counter[str]:
    """Count how often each symbol is named, in expressions and in dependsOn."""
    return Counter(one.name for one in walk(file.declarations) if isinstance(one, Name))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_every_symbol_that_is_used_is_declared_once(file: File) -> None:
    names = [one.name for one in file.of("param", "var", "resource", "module")]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    local = {
        name
        for one in walk(file.declarations)
        if isinstance(one, Loop)
        for name in (one.item, one.index)
    }
    assert set(used(file)) <= {*names, *local}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_no_parameter_variable_or_existing_resource_is_unused(file: File) -> None:
    names = {one.name for one in file.of("param", "var")}
    names |= {one.name for one in file.of("resource") if one.existing}
    assert names <= set(used(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_files_parameters_and_outputs_are_described(file: File) -> None:
    assert file.of("metadata"), "metadata description is missing"
    undescribed = [
        one.name for one in file.of("param", "output") if one.decorator("description") is None
    ]
    assert undescribed == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_every_api_version_is_an_allowed_one(file: File) -> None:
    for one in file.of("resource"):
        kind, _, version = one.type.partition("@")
        allowed = API_VERSIONS.get(kind) or API_VERSIONS.get(kind.partition("/")[0])
        assert version == allowed, one.type


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_modules_get_exactly_the_parameters_they_have(file: File) -> None:
    for one in file.of("module"):
        inner = parse((INFRA / file.path).parent / one.type)
        assert isinstance(one.value, Object)
        given = one.value.get("params")
        assert isinstance(given, Object)
        passed = {
            str(key.value) for entry in given.properties if isinstance(key := entry.key, Literal)
        }
        assert passed == {param.name for param in inner.of("param")}, one.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_nothing_lists_keys_or_carries_a_secret(file: File) -> None:
    calls = {one.name.lower() for one in walk(file.declarations) if isinstance(one, Call)}
    assert not {one for one in calls if one.startswith("list") or "secret" in one}
    assert not [one for one in file.of("param") if one.decorator("secure")]
    words = re.compile(r"password|secret|connectionstring|accesskey|sas\b|token", re.IGNORECASE)
    assert not [one.name for one in file.of("param", "output") if words.search(one.name)]


def test_every_role_is_assigned_in_one_place_with_a_reason() -> None:
    elsewhere = [
        one.type
        for file in FILES
        for one in file.of("resource")
        if "roleAssignments" in one.type and file.path != "access.bicep"
    ]
    assert elsewhere == []
    access = of("access.bicep")
    found = {
        one.name: one.value.value for one in access.of("var") if isinstance(one.value, Literal)
    }
    assert found == ROLES
    text = (INFRA / "access.bicep").read_text(encoding="utf-8").split("\n")
    for one in access.of("resource"):
        if not one.existing:
            assert text[one.line - 2].startswith("//"), f"{one.name} has no reason"


def log_lines() -> dict[str, str]:
    """What the product logs: each line's text, with the level it is logged at."""
    found: dict[str, str] = {}
    for path in (*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("_log"), attr=level),
                    args=[ast.Constant(value=str(text)), *_],
                ):
                    found[text] = level
    return found


def test_every_query_finds_a_line_that_the_product_logs() -> None:
    """The queries' own expression, on the product's own lines, at a level that is kept."""
    text = (INFRA / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    asked = set(re.findall(r'\$\{eventIs\} "([a-z_]+)"', text))
    assert asked == EVENTS
    expression = re.search(r'extract\("([^"]+)", 1, message\)', text)
    assert expression is not None
    kept = {
        found[1]: level
        for line, level in log_lines().items()
        if (found := re.search(expression[1], line))
    }
    assert asked <= set(kept), f"nothing logs {sorted(asked - set(kept))}"
    assert {kept[event] for event in asked} <= {"info", "warning", "error", "exception"}


def test_the_guide_tells_what_to_do_about_every_alert() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    text = (INFRA / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    rules = set(re.findall(r"^    name: '([a-z-]+)'$", text, re.MULTILINE))
    metrics = set(re.findall(r"name: '\$\{name\}-([a-z-]+)'", text))
    assert rules == {
        "credential-failing",
        "mail-held",
        "messages-uncertain",
        "server-errors",
        "unknown-replies",
        "upkeep-missing",
        "wakeups-poisoned",
    }
    assert metrics == {"storage-throttled", "vault-throttled"}
    assert [one for one in rules | metrics if f"`{one}`" not in guide] == []


def test_the_queue_its_poison_queue_the_tables_and_the_containers_are_there() -> None:
    names = {
        one.type.partition("@")[0].rpartition("/")[2]: set[str]()
        for one in of("modules/storage.bicep").of("resource")
    }
    for one in of("modules/storage.bicep").of("resource"):
        assert isinstance(one.value, Object)
        name = one.value.get("name")
        if isinstance(name, Literal):
            names[one.type.partition("@")[0].rpartition("/")[2]].add(str(name.value))
    wiring = (ROOT / "shared" / "wiring.py").read_text(encoding="utf-8")
    assert names["queues"] == set(re.findall(r'"(wakeups[a-z-]*)"', wiring))
    assert names["tables"] == set(re.findall(r'_table\("([a-z]+)"\)', wiring))
    assert names["containers"] == {*re.findall(r'"(content)", ', wiring), "deployments"}


def test_the_instances_kept_ready_are_for_functions_there_are() -> None:
    text = (INFRA / "parameters" / "production.json").read_text(encoding="utf-8")
    kept = {one["name"] for one in json.loads(text)["parameters"]["alwaysReady"]["value"]}
    sources = "".join(
        one.read_text(encoding="utf-8") for one in (ROOT / "functions").rglob("*.py")
    )
    named = {f"function:{one}" for one in re.findall(r"_trigger\(.*\)\ndef (\w+)\(", sources)}
    assert kept <= {"http", *named}


def test_the_linter_rules_are_errors() -> None:
    config = json.loads((INFRA / "bicepconfig.json").read_text(encoding="utf-8"))
    rules = config["analyzers"]["core"]["rules"]
    assert {one["level"] for one in rules.values()} == {"error"}
    wanted = {
        "outputs-should-not-contain-secrets",
        "secure-parameter-default",
        "no-unused-params",
        "no-unused-vars",
        "no-hardcoded-env-urls",
        "use-parent-property",
    }
    assert wanted <= set(rules)


@pytest.mark.parametrize(
    "text",
    [
        "param name string\nvar name = 'x",
        "resource a 'x@1' = {\n  name: 'a' location: 'b'\n}",
        "func f() string => 'x'",
        "param x string?",
        "output x string = [",
    ],
)
def test_what_is_not_plain_bicep_is_refused(text: str) -> None:
    with pytest.raises(BicepError):
        Parser(text, "wrong.bicep").file()


def test_an_undeclared_symbol_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.bicep"
    path.write_text("param a string\noutput b string = '${a}${c}'\n", encoding="utf-8")
    with pytest.raises(BicepError, match=r"wrong\.bicep:2: 'c' is not declared"):
        compile_file(path)
