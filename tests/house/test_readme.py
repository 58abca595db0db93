"""The README's tables say what is so."""

import json
import re
from pathlib import Path

from shared.config import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_names_every_setting_in_its_order() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]

    assert tuple(re.findall(r"^\| `([A-Za-z_]+)` \|", table, re.MULTILINE)) == SETTINGS


def test_every_dependency_has_its_row_in_the_decision_table() -> None:
    decisions = README.partition("## Decisions")[2]
    required = [
        line.partition("==")[0]
        for name in ("requirements.txt", "local/requirements.txt", "bench/requirements.txt")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "==" in line
    ]
    required += json.loads((ROOT / "bench/package.json").read_text("utf-8"))["dependencies"]

    assert [name for name in required if f"`{name}`" not in decisions] == []
