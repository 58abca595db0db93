"""A short soak: a minute of faults and two hosts that are killed, and every promise."""

from local import azurite
from local.standins import Stack
from tests.soak.plan import Plan
from tests.soak.run import Soak

SHORT = Plan(mailboxes=12, messages=8, breaking=8, within=150, kills=2, seed=2)
"""Whoever inherits a dead host's mailbox waits 65 s for its lease: mostly it takes that long."""


def test_nothing_is_lost_and_nothing_sent_twice() -> None:
    """Over stand-ins of its own: what other tests left may still be sent to theirs."""
    with Stack() as standins, azurite.running() as storage:
        checks = Soak(SHORT, print).run(standins, storage)

    print("\n".join(map(str, checks)))
    assert [check for check in checks if not check.holds] == []
