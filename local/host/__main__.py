"""``python -m local.host --port N``: serve the app of a folder until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import sys
from pathlib import Path

from local.host.errors import StartError
from local.host.host import serve


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1; 0 = any")
    parser.add_argument("--app", type=Path, default=Path(), help="folder of the app (here)")
    parser.add_argument(
        "--queue-visibility",
        type=float,
        default=600,
        metavar="SECONDS",
        help="how long a taken queue message stays invisible before it is renewed (600)",
    )
    parser.add_argument(
        "--answer-within",
        type=float,
        default=230,
        metavar="SECONDS",
        help="when an HTTP request is cut off, as Azure's front end does (230)",
    )
    return parser.parse_args(arguments)


def main() -> int:
    """Run the host."""
    options = _parse()
    try:
        return asyncio.run(
            serve(
                options.app.resolve(),
                options.port,
                visibility=options.queue_visibility,
                answer_within=options.answer_within,
            )
        )
    except StartError as error:
        print(f"the host cannot start: {error}", file=sys.stderr)
        if error.details:
            print(error.details, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
