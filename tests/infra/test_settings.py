"""The function app is given the settings the code reads, and nothing to be kept secret."""

import json
import re
from pathlib import Path

from local.arm.bicep.compiler import compile_file
from local.arm.bicep.parser import parse
from local.arm.bicep.syntax import Literal, Object, walk
from shared.config import SETTINGS, STORAGE

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
