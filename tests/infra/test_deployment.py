"""infra/deploy without Azure: its parameters, its package, its patience."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.deployment import package, parameters
from infra.deployment.az import DeploymentError, Json, patiently
from infra.deployment.checks import ACTIONS, _allows

ROOT = Path(__file__).resolve().parent.parent.parent
INFRA = ROOT / "infra"


def filled_in(tmp_path: Path, **values: Any) -> Path:  # noqa: ANN401 - JSON
    text = (INFRA / "parameters" / "production.json").read_text(encoding="utf-8")
    document = json.loads(text.replace(".example", ".test"))
    document["parameters"] |= {name: {"value": value} for name, value in values.items()}
    path = tmp_path / "installation.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_examples_have_to_be_filled_in_and_every_one_is_named() -> None:
    with pytest.raises(DeploymentError) as error:
        parameters.read(INFRA / "parameters" / "production.json")
    for name in ("publicUrl", "allowedOrigins", "callerIssuer", "alertEmails"):
        assert f"'{name}' still is the example" in str(error.value)


def test_the_names_follow_from_one(tmp_path: Path) -> None:
    read = parameters.read(filled_in(tmp_path, name="mail7"))
    names = (read.group, read.application, read.storage, read.vault)
    assert names == ("rg-mail7", "func-mail7", "stmail7", "kv-mail7")
    assert len(parameters.read(filled_in(tmp_path, name="m" * 20)).vault) <= 24


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "Mail", "lower-case"),
        ("name", "m" * 21, "3 to 20"),
        ("publicUrl", "https://mail.quick3.test/api", "nothing after it"),
        ("callerIssuer", "", "is missing"),
        ("entraClientId", "x", "filled in by infra/deploy"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(DeploymentError, match=said):
        parameters.read(filled_in(tmp_path, **{name: value}))


def test_a_file_that_is_none_says_where_to_begin(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError) as error:
        parameters.read(tmp_path / "nothing.json")
    assert "production.json" in error.value.todo


def test_the_package_is_the_application_and_nothing_else(tmp_path: Path) -> None:
    names = package.make(ROOT, tmp_path / "package.zip")
    tops = {name.split("/")[0] for name in names}
    wanted = {"function_app.py", "host.json", "requirements.txt", "build.env"}
    assert tops == {*wanted, "functions", "shared"}
    assert {name.rpartition(".")[2] for name in names} >= {"py", "toml", "html"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        assert archive.read("function_app.py") == (ROOT / "function_app.py").read_bytes()


def test_the_same_files_make_the_same_package(tmp_path: Path) -> None:
    package.make(ROOT, tmp_path / "one.zip")
    package.make(ROOT, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_package_with_something_strange_is_not_made(tmp_path: Path) -> None:
    (tmp_path / ".funcignore").write_text("*.pyc\n", encoding="utf-8")
    for name in ("function_app.py", "host.json", "requirements.txt", "notes.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"notes\.txt"):
        package.make(tmp_path, tmp_path / "package.zip")


def test_the_remote_build_leaves_byte_code_that_outlives_file_times(tmp_path: Path) -> None:
    """Run the command the build runs, change every file's time, and import without compiling."""
    setting = (INFRA / "build.env").read_text(encoding="utf-8").split("POST_BUILD_COMMAND=")[1]
    package.make(ROOT, tmp_path / "package.zip")
    built = tmp_path / "built"
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        archive.extractall(built)
    (built / ".python_packages").mkdir()
    (built / ".python_packages" / "library.py").write_text("X = 1\n", encoding="utf-8")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    subprocess.run(setting.strip(), shell=True, cwd=built, env=environment, check=True)
    for source in (*built.rglob("*.py"),):
        os.utime(source, (1, 1))
        compiled = Path(importlib.util.cache_from_source(str(source)))
        flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
        assert flags == 0b01, f"{source.name}: byte code that is bound to a file time"


def test_patience_ends_and_says_why() -> None:
    with pytest.raises(DeploymentError, match="not yet") as error:
        patiently(lambda: "not yet", minutes=0)
    assert "again" in error.value.todo


def test_patience_is_over_as_soon_as_nothing_is_missing() -> None:
    answers = iter(["not yet", ""])
    patiently(lambda: next(answers), minutes=1, first=0.01)


@pytest.mark.parametrize(
    ("actions", "denied", "enough"),
    [
        (["*"], [], True),
        (["*"], ["Microsoft.Authorization/*/Write"], False),
        (["*/read"], [], False),
        (["Microsoft.Web/*"], [], False),
    ],
)
def test_rights_are_read_as_azure_reads_them(
    actions: list[str], denied: list[str], *, enough: bool
) -> None:
    granted: list[Json] = [{"actions": [*actions], "notActions": [*denied]}]
    assert all(_allows(granted, one) for one in ACTIONS) is enough


def test_two_roles_together_are_enough() -> None:
    granted: list[Json] = [
        {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]},
        {"actions": ["Microsoft.Authorization/roleAssignments/write"], "notActions": []},
    ]
    assert all(_allows(granted, one) for one in ACTIONS)


@pytest.mark.parametrize("script", ["deploy", "remove", "register"])
def test_each_script_says_what_it_does(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(INFRA / script), "--help"], capture_output=True, text=True, check=True
    )
    assert "usage: infra/" in done.stdout


def test_without_az_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(INFRA / "deploy"), str(filled_in(tmp_path))],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "aka.ms/azure-cli" in done.stderr
