"""The model's answers as a section of the report, and as bench/capacity/answers.svg."""

from pathlib import Path

from bench.capacity import checks, plot, report
from bench.capacity.parameters import Parameters
from bench.capacity.scenarios import SCENARIOS, Answer
from bench.result import Goal, Options, Result, Row, Sample, Table

PICTURE = Path(__file__).with_name("answers.svg")
NOTE = """A discrete-event model of instances, leases, wake-ups and limits
(`bench/capacity/service.py`); every request to a store, every poll of the queue and every message
is an event of its own. Limits are Microsoft's; costs are those that the sections accept and
delivery measured last (`bench/capacity/costs.json`); what is assumed is named:
`bench/capacity/parameters.py`, `--set NAME=VALUE` changes any of it. The month of a
million mailboxes is its busiest minutes, message by message, times its messages."""


def run(options: Options) -> Result:
    """Ask the model everything, and check it."""
    parameters = Parameters.default()
    answers = [ask(parameters) for ask in SCENARIOS.values()]
    if not options.quick:
        PICTURE.write_text(plot.draw(answers), encoding="utf-8")
    found = [*checks.by_formula(parameters), *checks.by_a_real_run()]
    words = "\n".join(line for each in answers for line in report.lines(each, parameters.prices))
    return Result(
        title="Capacity: what the system carries, by simulation",
        command='make bench ARGS="capacity"',
        tables=tuple(_table(each) for each in answers),
        goals=tuple(_goal(each) for each in found),
        notes=(f"```text\n{words}\n```", "![the answers over time](capacity/answers.svg)", NOTE),
    )


def _table(answer: Answer) -> Table:
    delays = answer.delays
    parts = (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("longest", 1.0))
    return Table(
        f"{answer.name}: delay from the 202 to Exchange's 250",
        "s",
        tuple(Row(name, Sample.of([report.percentile(delays, part)])) for name, part in parts),
    )


def _goal(check: checks.Check) -> Goal:
    return Goal(
        f"the model of {check.what}: within {check.tolerance:.0%} of {check.expected:.2f}",
        f"{check.modelled:.2f} ({check.deviation:+.1%})",
        check.holds,
    )
