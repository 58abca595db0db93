"""``python -m tests.soak``: mail under random faults; exit status 0 only if every promise held."""

import argparse
import os
import signal
import sys

from local import azurite
from local.standins import Stack
from tests.soak.plan import Plan
from tests.soak.run import Soak


def _plan() -> Plan:
    usual = Plan()
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Mail through two hosts while everything around them fails at random, then "
        "calm; then the books are compared.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--mailboxes", type=int, default=usual.mailboxes, help="how many")
    parser.add_argument("--messages", type=int, default=usual.messages, help="of each mailbox")
    parser.add_argument(
        "--breaking", type=float, default=usual.breaking, help="seconds in which things fail"
    )
    parser.add_argument(
        "--within", type=float, default=usual.within, help="seconds in which all must have ended"
    )
    parser.add_argument("--kills", type=int, default=usual.kills, help="how often a host dies")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of the plan of faults")
    return Plan(**vars(parser.parse_args()))


def main() -> int:
    """Run a soak."""
    plan = _plan()
    soak = Soak(plan, lambda line: print(line, flush=True))
    signal.signal(signal.SIGTERM, lambda *_: soak.halt())
    print(f"soak: {plan}", flush=True)
    with Stack() as standins, azurite.running() as storage:
        os.environ.update(standins.settings())
        checks = soak.run(standins, storage)
    print("\n".join(map(str, checks)))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
