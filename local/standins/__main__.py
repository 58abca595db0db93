"""Run the stand-ins for other programs: ``python -m local.standins --help``."""

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path

from local.standins.stack import NAMES, Stack


def main(arguments: list[str] | None = None) -> int:
    """Start what is asked for, print the settings, serve until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    ports = {name: getattr(options, f"{name}_port") for name in NAMES}
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stack = Stack(only=options.only or NAMES, ports=ports, folder=options.folder)
    try:
        with stack:
            prepare(stack, options)
            print(shown(stack.settings(), options.format), flush=True)
            stop.wait()
    except OSError as error:
        print(f"the stand-ins cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The options, one ``--<name>-port`` for each stand-in."""
    made = argparse.ArgumentParser(
        prog="python -m local.standins",
        description="Stand-ins for Entra, Key Vault, managed identity, Exchange (with its inboxes "
        "over HTTP), the caller's issuer and Event Grid, on 127.0.0.1, and a control server for "
        "their verbs. Prints the settings that lead a program to them, then serves.",
    )
    made.add_argument(
        "--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}"
    )
    for name in NAMES:
        flag = f"--{name.replace('_', '-')}-port"
        made.add_argument(flag, type=port, default=0, metavar="N", help="default: a free one")
    made.add_argument("--format", choices=("json", "env", "export"), default="json")
    made.add_argument(
        "--folder",
        type=Path,
        help="where ca.pem, certificate.pem and key.pem go; default: a temporary one",
    )
    made.add_argument(
        "--redirect-uri", action="append", default=[], help="register one with Entra; repeatable"
    )
    made.add_argument("--user", action="append", default=[], help="add someone; repeatable")
    made.add_argument("--client-secret", action="store_true", help="print ENTRA_CLIENT_SECRET too")
    made.add_argument(
        "--no-limits", action="store_true", help="Exchange counts its limits without enforcing"
    )
    return made


def port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    number = int(text)
    if not 0 <= number < 65_536:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return number


def prepare(stack: Stack, options: argparse.Namespace) -> None:
    """Set the state that the options ask for."""
    for uri in options.redirect_uri:
        stack.entra.register_redirect_uri(uri)
    for username in options.user:
        stack.entra.add_user(username)
    if options.client_secret:
        stack.entra.shows_secret = True
    if options.no_limits:
        stack.exchange.enforce_limits(enforced=False)


def shown(settings: dict[str, str], form: str) -> str:
    """The settings on one line of JSON, or one line each."""
    if form == "json":
        return json.dumps(settings)
    prefix = "export " if form == "export" else ""
    return "\n".join(f"{prefix}{name}={shlex.quote(value)}" for name, value in settings.items())


if __name__ == "__main__":
    sys.exit(main())
