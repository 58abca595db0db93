"""infra/deploy without Azure: its parameters, its package, its patience."""

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.deployment import package, parameters, publish, registration
from infra.deployment.az import Az, AzError, DeploymentError, Json, exit_status, patiently
from infra.deployment.checks import ACTIONS, _allows
from local.arm.site import Site
from local.standins.trust import Trust

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
        ("publicURL", "https://mail.quick3.test", "no parameter of main.bicep"),
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
    wanted = {"function_app.py", "host.json", "requirements.txt", "constraints.txt", "build.env"}
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
    for name in (*package.NEEDED[:-1], "notes.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"notes\.txt"):
        package.make(tmp_path, tmp_path / "package.zip")


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(package): version for package, version in pairs}


def test_the_remote_build_installs_what_was_tested() -> None:
    """Every package that the required ones bring along is pinned, at the version that is here."""
    wanted = pinned("requirements.txt") | pinned("constraints.txt")
    found: dict[str, str] = {}
    waiting = [Requirement(name) for name in pinned("requirements.txt")]
    while waiting:
        one = waiting.pop()
        distribution = metadata.distribution(one.name)
        found[canonicalize_name(one.name)] = distribution.version
        inner = [Requirement(line) for line in distribution.requires or ()]
        waiting += [
            each
            for each in inner
            if each.marker is None
            or any(each.marker.evaluate({"extra": extra}) for extra in one.extras or {""})
        ]
    assert found == wanted


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


def test_both_ways_of_registering_say_the_same() -> None:
    template = (INFRA / "entra.bicep").read_text(encoding="utf-8")
    commented = dict(re.findall(r"'([0-9a-f-]{36})' // (\S+)", template))
    assert {name: one for one, name in commented.items()} == registration.DELEGATED_PERMISSIONS
    assert f"= '{registration.MICROSOFT_GRAPH}'" in template
    assert f"/{registration.CREDENTIAL}'" in template
    for word in ("AzureADandPersonalMicrosoftAccount", "AzureADMultipleOrgs"):
        assert f"'{word}'" in template
    assert template.count("'api://AzureADTokenExchange'") == 1


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


@pytest.mark.parametrize("script", ["deploy", "remove", "register"])
def test_an_old_python_is_told_which_one_is_needed(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 9, "final", 0))
    with pytest.raises(SystemExit, match=r"3\.12 or newer.*\nWhat to do: "):
        runpy.run_path(str(INFRA / script), run_name="__main__")


def test_a_preview_does_not_publish(tmp_path: Path) -> None:
    command = [sys.executable, str(INFRA / "deploy"), str(filled_in(tmp_path))]
    done = subprocess.run(
        [*command, "--what-if", "--code-only"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "not allowed with" in done.stderr


def test_an_interrupted_run_says_that_it_can_be_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    assert exit_status(work) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_failed_build_is_told_at_once_whatever_numbers_its_log_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "az"
    program.write_text(
        "#!/bin/sh\necho 'Zip deployment failed: took 403 s, 409 lines' >&2; exit 1\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(AzError, match="Zip deployment failed"):
        publish.publish(Az(), "rg-x", "func-x", tmp_path / "package.zip")


def test_an_application_that_lets_strangers_in_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Trust(tmp_path / "trust") as trust, Site(trust) as site:
        for name, value in trust.settings().items():
            monkeypatch.setenv(name, value)
        site.packages.append(b"a package")
        publish.smoke_test(site.url)
        site.lets_strangers_in = True
        with pytest.raises(DeploymentError, match="answers 200 instead of 401") as error:
            publish.smoke_test(site.url)
    assert "Do not use this installation" in error.value.todo
