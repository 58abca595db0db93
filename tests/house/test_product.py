"""What deployed code may not contain."""

import ast
import io
import json
import re
import tokenize
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from shared.guidance import every_code
from tests.house.source import ROOMS, ROOT, calls_of, name_of, product_files, tree_of

LONGEST_FUNCTION = 40
"""Lines, docstring left out."""
LOCAL_OR_TEST = re.compile(
    r"localhost|127\.0\.0\.1|\b0\.0\.0\.0\b|\[?::1\]?|devstoreaccount|UseDevelopmentStorage"
    r"|verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified"
    r"|verify_challenge_resource|InsecureRequestWarning"
    r"|\bmock|\bfake|\bstand-?ins?\b|\bpytest|unittest|AZURE_FUNCTIONS_ENVIRONMENT|\bTESTING\b|\bDEBUG\b",
    re.IGNORECASE,
)
VAGUE_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc|service|handlers?)(_|$)")
ENVIRONMENT = {"environ", "getenv", "environb", "putenv"}

every_file = pytest.mark.parametrize("path", product_files(), ids=name_of)


@every_file
def test_it_does_not_know_that_it_is_tested_or_run_locally(path: Path) -> None:
    """No switch, host name or branch for tests; comments may speak of them."""
    code = [
        token
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type != tokenize.COMMENT
    ]

    found = [
        (token.start[0], token.string) for token in code if LOCAL_OR_TEST.search(token.string)
    ]
    assert found == []


@every_file
def test_only_the_wiring_reads_the_environment(path: Path) -> None:
    if name_of(path) == "shared/wiring.py":
        return
    names = {
        node.attr
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os"
    }
    names |= {
        alias.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
    }

    assert names & ENVIRONMENT == set()


@every_file
def test_only_the_functions_know_the_platform(path: Path) -> None:
    modules = {
        name
        for node in ast.walk(tree_of(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    if name_of(path).startswith("shared/"):
        assert not any(name.startswith("azure.functions") for name in modules)
    assert not any(name.partition(".")[0] in {"local", "tests", "bench"} for name in modules)


@every_file
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_FUNCTION:
                long.append((node.name, lines))

    assert long == []


@every_file
def test_functions_are_synchronous(path: Path) -> None:
    """One colour of code: the worker runs plain functions on its threads."""
    assert [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.AsyncFunctionDef)] == []


@every_file
def test_every_error_that_is_raised_can_be_explained(path: Path) -> None:
    codes = {
        call.args[0].value
        for name in ("ServiceError", "for_code", "problem_document")
        for call in calls_of(tree_of(path), name)
        if call.args and isinstance(call.args[0], ast.Constant)
    }

    assert codes - set(every_code()) == set()


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without __init__.py loses to any installed package of the same name."""
    folders = {path.parent for path in product_files()} - {ROOT}

    assert [name_of(each) for each in folders if not (each / "__init__.py").exists()] == []


def test_no_installed_package_takes_our_names() -> None:
    """The Functions worker looks in site-packages before it looks in the app's folder."""
    assert {*ROOMS, "function_app"} & packages_distributions().keys() == set()


def test_modules_are_named_for_what_they_hold() -> None:
    assert [name_of(path) for path in product_files() if VAGUE_NAMES.search(path.stem)] == []


def test_the_import_rules_name_every_room_and_every_function() -> None:
    """A module that no contract names is bound by none."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = set(re.findall(r"[\w.]+", json.dumps(contracts["contracts"])))
    rooms = {f"shared.{each.stem}" for each in (ROOT / "shared").iterdir() if holds_code(each)}
    functions = {f"functions.{each.stem}" for each in (ROOT / "functions").glob("[!_]*.py")}

    assert (rooms | functions) - named == set()


def holds_code(path: Path) -> bool:
    return (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
