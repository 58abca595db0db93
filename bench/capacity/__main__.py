"""`python -m bench.capacity`: ask the model, check it, draw what it answers."""

import argparse
import sys
import time
from pathlib import Path

from bench.capacity import checks, plot, report
from bench.capacity.parameters import Parameters
from bench.capacity.scenarios import SCENARIOS


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)} (all)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a limit, an assumption, a cost or a price (bench/capacity/parameters.py)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the answers as SVG")
    parser.add_argument("--check", action="store_true", help="check the model by closed formulas")
    parser.add_argument(
        "--real", action="store_true", help="and against a real run on this machine (a minute)"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.scenario) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    """Answer what is asked."""
    options = parse()
    changes = {
        name: float(value) for name, _, value in (one.partition("=") for one in options.set)
    }
    parameters = Parameters.default().with_(**changes)
    print(f"costs: {parameters.costs.measured}")
    answers = []
    for name in options.scenario or SCENARIOS:
        began = time.perf_counter()
        answer = SCENARIOS[name](parameters)
        answers.append(answer)
        print("\n".join(report.lines(answer, parameters.prices)))
        took = time.perf_counter() - began
        print(f"  simulated    {answer.service.simulation.events:,} events in {took:.1f} s\n")
    if options.plot:
        options.plot.write_text(plot.draw(answers))
    found = checks.by_formula(parameters) if options.check or options.real else []
    if options.real:
        found += checks.by_a_real_run()
    for one in found:
        print(one)
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
