"""``python -m local.demo``: the main job with its proofs, then the page until Ctrl-C."""

import argparse
import signal
import sys
import threading
from types import FrameType

from local.demo.job import play
from local.demo.report import Report, StepFailedError
from local.demo.stack import PASSWORD, USERNAME, Stack, running


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the proof")
    parser.add_argument("--port", type=int, default=0, help="of the page; 0 = any free one")
    parser.add_argument("--api-port", type=int, default=0, help="of the API; 0 = any free one")
    return parser.parse_args(arguments)


def main() -> int:
    """Give exit status 0 only if every proof held."""
    options = _parse()
    signal.signal(signal.SIGTERM, _interrupt)
    report = Report()
    played = False
    try:
        with running(report, page_port=options.port, api_port=options.api_port) as stack:
            _play(stack, report)
            played = True
            if not options.once:
                _print_addresses(stack)
                threading.Event().wait()
    except StepFailedError:
        print("\nThe stack could not be started.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0 if played and report.held else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _play(stack: Stack, report: Report) -> None:
    try:
        play(stack, report)
    except StepFailedError:
        report.held = False
    if report.held:
        print("\nAll of it held.", flush=True)
    else:
        said = stack.log.read_text("utf-8").splitlines()
        print(
            "\nNot all of it held. The end of the host's log:", *said[-25:], sep="\n", flush=True
        )


def _print_addresses(stack: Stack) -> None:
    print(
        f"""
  The page     {stack.page_url}/
  The API      {stack.api}   (documentation: {stack.api}/docs)
  Signing in   {USERNAME}, password {PASSWORD}
  Certificate  the stand-ins' own authority, {stack.ca}:
               let the browser trust it, or accept the sign-in page's certificate
  The log      {stack.log}

Ctrl-C ends it all.""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
