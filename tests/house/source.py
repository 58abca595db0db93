"""The product's source, as the house rules look at it."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("functions", "shared")


@cache
def product_files() -> tuple[Path, ...]:
    """Every Python file that is deployed."""
    rooms = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return (ROOT / "function_app.py", *sorted(rooms))


def name_of(path: Path) -> str:
    """Name a file as it is spoken of: relative to the root."""
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text("utf-8"), str(path))


def module_of(path: Path) -> str:
    """Name the module a file holds."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def calls_of(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    """Find the calls of a function or class by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if name == (
                called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            ):
                yield node


def run_python(code: str, settings: Mapping[str, str]) -> str:
    """Run *code* in a new interpreter that stands in the root; give what it prints."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-W", "error", "-c", code]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
