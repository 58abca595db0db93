"""``python -m local.azurite``: Azurite until Ctrl-C; prints its connection string when ready."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from local.azurite.emulator import AzuriteError, running


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.azurite", description=__doc__)
    for service, port in (("blob", 10000), ("queue", 10001), ("table", 10002)):
        parser.add_argument(
            f"--{service}-port", type=int, default=port, help=f"default {port}; 0 = any free one"
        )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--location", type=Path, default=Path(".cache/azurite"), help="folder of its data"
    )
    where.add_argument("--in-memory", action="store_true", help="keep nothing on disk")
    parser.add_argument("--cert", type=Path, help="PEM certificate: serve https, accept tokens")
    parser.add_argument("--key", type=Path, help="PEM key of the certificate")
    return parser.parse_args(arguments)


def main() -> int:
    """Run until a signal."""
    options = _parse()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        with running(
            location=None if options.in_memory else options.location,
            ports=(options.blob_port, options.queue_port, options.table_port),
            certificate=options.cert,
            key=options.key,
        ) as azurite:
            print(azurite.connection_string, flush=True)
            return azurite.process.wait()
    except AzuriteError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
