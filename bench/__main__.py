"""Run benchmarks and print them as ratios: `python -m bench [section ...] [--write]`."""

import argparse
import importlib
import sys
import time

from bench import report
from bench.result import Options, Result

SECTIONS = {
    "submission": "bench.submission",
    "mailboxes": "bench.mailboxes",
    "cold": "bench.cold",
    "accept": "bench.accept",
    "delivery": "bench.delivery",
    "growth": "bench.growth",
    "capacity": "bench.capacity.section",
}
"""Each module's ``run(options)`` returns a Result; the order is the report's."""


def main() -> int:
    """Run the sections asked for, all without a name; end with 1 if one of them failed."""
    options = _parse()
    done: dict[str, str] = {}
    failed = 0
    for name in options.sections or SECTIONS:
        started = time.monotonic()
        print(f"\n{name} ...", flush=True)
        try:
            result = _run(name, Options(quick=options.quick))
        except Exception as error:
            failed = 1
            print(f"{name} failed: {error!r}", file=sys.stderr, flush=True)
            continue
        print(f"\n{result.title}\n\n{report.render(result)}", flush=True)
        print(f"\n({name}: {time.monotonic() - started:.0f} s)", flush=True)
        done[name] = report.section(name, result)
        if options.write:
            report.write({name: done[name]}, tuple(SECTIONS))
    return failed


def _run(name: str, options: Options) -> Result:
    result: Result = importlib.import_module(SECTIONS[name]).run(options)
    return result


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--write", action="store_true", help="update bench/RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="short runs, not for quoting")
    options = parser.parse_args()
    if unknown := [name for name in options.sections if name not in SECTIONS]:
        parser.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if options.quick and options.write:
        parser.error("short runs are not for the report")
    return options


if __name__ == "__main__":
    sys.exit(main())
