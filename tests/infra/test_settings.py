"""The function app is given the settings the code reads, and nothing to be kept secret."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.arm.bicep.compiler import compile_file
from local.arm.bicep.parser import parse
from local.arm.bicep.syntax import Literal, Object, walk
from local.arm.deployments import Deployment
from local.arm.subscription import Subscription
from shared.config import SETTINGS, STORAGE, Config

INFRA = Path(__file__).resolve().parent.parent.parent / "infra"

NOT_IN_AZURE = {
    STORAGE: "a connection string; in Azure the identity is used",
    "ENTRA_CLIENT_SECRET": "the managed identity is the application's credential",
}
THE_PLATFORMS_OWN = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "an address: local authentication is off",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "names the identity that sends the logs",
    "PYTHON_THREADPOOL_THREAD_COUNT": "threads for synchronous functions",
}
NEVER_ON_FLEX = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
}
SECRET = re.compile(
    r"accountkey=|sharedaccess|password=|secret=|bearer |-----begin|sig=|[?&]code=", re.IGNORECASE
)


def settings() -> Object:
    found = parse(INFRA / "modules" / "application.bicep").named("settings")
    assert found is not None
    assert isinstance(found.value, Object)
    properties = found.value.get("properties")
    assert isinstance(properties, Object)
    return properties


def names() -> set[str]:
    return {str(one.key.value) for one in settings().properties if isinstance(one.key, Literal)}


def test_the_settings_in_bicep_are_the_settings_the_code_reads() -> None:
    given = names() - set(THE_PLATFORMS_OWN)
    read = set(SETTINGS) - set(NOT_IN_AZURE)
    assert given - read == set(), "given, but nothing reads them"
    assert read - given == set(), "read, but not given"


class Asked(Mapping[str, str]):
    """An environment that remembers what was looked for in it."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self.settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def __len__(self) -> int:
        return len(self.settings)


def test_the_code_starts_with_what_it_is_given_and_asks_for_nothing_else() -> None:
    there = Subscription("a-subscription", "a-tenant", "func-x.azurewebsites.net")
    path = INFRA / "parameters" / "production.json"
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    given["entraClientId"] = {"value": "11111111-2222-4333-8444-555555555555"}
    given["budgetStartDate"] = {"value": "2026-12-01"}
    Deployment(there, compile_file(INFRA / "main.bicep"), given).run()
    environ = Asked(there.of_type("Microsoft.Web/sites/config")[0]["properties"])
    config = Config.from_environ(environ)
    assert config.storage.connection_string is None
    assert config.entra_client_secret is None
    assert environ.names == set(SETTINGS)


def test_no_setting_is_a_key_a_password_a_connection_string_or_a_secret() -> None:
    allowed = set(THE_PLATFORMS_OWN)
    suspicious = re.compile(r"KEY$|PASSWORD|SECRET|CONNECTION_STRING|TOKEN|SAS", re.IGNORECASE)
    assert {one for one in names() if suspicious.search(one)} - allowed == set()
    for path in INFRA.rglob("*.bicep"):
        for node in walk(parse(path).declarations):
            if isinstance(node, Literal) and isinstance(node.value, str):
                assert not SECRET.search(node.value), f"{path.name}:{node.line}: {node.value}"


def test_the_log_refuses_what_the_connection_string_alone_could_do() -> None:
    text = (INFRA / "modules" / "monitoring.bicep").read_text(encoding="utf-8")
    assert "DisableLocalAuth: true" in text


def test_no_setting_is_one_that_flex_consumption_refuses() -> None:
    assert not names() & NEVER_ON_FLEX


def test_every_service_refuses_keys() -> None:
    for module, line in (
        ("storage", "allowSharedKeyAccess: false"),
        ("events", "disableLocalAuth: true"),
        ("vault", "enableRbacAuthorization: true"),
        ("application", "allow: false"),
    ):
        assert line in (INFRA / "modules" / f"{module}.bicep").read_text(encoding="utf-8"), module


def test_no_script_and_no_template_asks_for_a_key() -> None:
    asking = re.compile(
        r"list[-_]?keys|connection[-_]string\b|\"keys\"|credential\", \"reset|publishing[-_]cred",
        re.IGNORECASE,
    )
    for path in (*INFRA.rglob("*.py"), *INFRA.rglob("*.bicep")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [line for line in lines if asking.search(line) and "//" not in line]
        kept = [line for line in found if "APPLICATIONINSIGHTS_CONNECTION_STRING" not in line]
        assert kept == [], path.name
    template = json.dumps(compile_file(INFRA / "main.bicep"))
    assert re.findall(r"\blist\w*\(", template) == []
