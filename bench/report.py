"""Results as Markdown, for the terminal and, section by section, for bench/RESULTS.md."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.result import Goal, Result, Row, Table, number

RESULTS = Path(__file__).with_name("RESULTS.md")

PREFACE = """# Results

Written by `make bench ARGS="--write"`; one section alone by `make bench ARGS="--write <section>"`.
Every figure is the median of runs that were interleaved with those beside it, the spread goes from
the lowest to the highest. A ratio divides medians of the same run on the same machine: ratios are
what to compare, the figures themselves are this machine's.
"""

_SECTION = re.compile(
    r"^<!-- section ([a-z-]+) -->\n(.*?)(?=^<!-- section |\Z)", re.MULTILINE | re.DOTALL
)


def render(result: Result) -> str:
    """Return *result* as Markdown without its heading."""
    parts = [_table(table) for table in result.tables]
    if result.goals:
        parts.append(_goals(result.goals))
    parts += result.notes
    return "\n\n".join(parts)


def section(name: str, result: Result) -> str:
    """Return *result* as a section of the report: how, when and where measured, then what."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = f"## {result.title}\n\n`{result.command}`, {when}, {machine()}."
    return f"<!-- section {name} -->\n{head}\n\n{render(result)}\n"


def write(sections: dict[str, str], order: Sequence[str], path: Path = RESULTS) -> None:
    """Replace these *sections* of the report and keep the others, in *order*."""
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {found[1]: found[0].rstrip() + "\n" for found in _SECTION.finditer(kept)} | sections
    parts = [known[name] for name in order if name in known]
    path.write_text("\n".join([PREFACE, *parts]), encoding="utf-8")


def machine() -> str:
    """Describe what the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    node = _version("node")
    return (
        f"{cores} cores of {_processor()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Node {node}"
    )


def _version(program: str) -> str:
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return found.stdout.strip().removeprefix("v")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8") if information.exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or "an unnamed processor"


def _table(table: Table) -> str:
    heads = [table.title, table.unit, "spread", *(f"x {name}" for name in table.against)]
    remarks = any(row.remark for row in table.rows)
    lines = [[*_cells(row), *([row.remark] if remarks else [])] for row in table.rows]
    return _markdown([*heads, *([""] if remarks else [])], lines)


def _cells(row: Row) -> list[str]:
    sample = row.sample
    spread = f"{number(sample.lowest)} to {number(sample.highest)}"
    ratios = ["" if ratio is None else f"{ratio:.2f}" for ratio in row.ratios]
    return [row.what, number(sample.median), spread, *ratios]


def _goals(goals: Iterable[Goal]) -> str:
    lines = [[goal.text, goal.measured, "yes" if goal.reached else "**no**"] for goal in goals]
    return _markdown(["goal", "measured", "reached"], lines)


def _markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns also line up where Markdown is read as it is."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(heads), rule, *map(line, lines)])
