"""The threat list: whatever it says is tried, is tried."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")


def functions_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_named_in_the_threat_list_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)

    assert len(named) > 40
    assert [f"{file}::{name}" for file, name in named if name not in functions_in(file)] == []


def test_every_threat_names_a_test() -> None:
    rows = [
        line
        for line in SECURITY.splitlines()
        if line.startswith("|") and not re.match(r"\| *(-|what|threat)|\|---", line)
    ]
    tables = [row for row in rows if row.count(" | ") > 2 or "tests/" in row]

    assert [row for row in tables if "::" not in row] == []


def test_the_attacks_on_connecting_are_all_in_the_list() -> None:
    """A new attack that is tried belongs on the page, or nobody learns of it."""
    listed = set(re.findall(r"test_attacks\.py::(\w+)", SECURITY))
    attacks = functions_in("tests/connecting/test_attacks.py")
    tried = {name for name in attacks if name.startswith("test_")}

    assert tried - listed == set()
