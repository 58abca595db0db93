"""Hosts that are killed or paused at the worst moments: some rows of ``make crash``, at once."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.breaking import duel
from tests.breaking.crash import ACCEPT, DRAIN, LARGE, TWICE, Outcome
from tests.breaking.duel import BEGIN, CHAINED, LAST, Pause
from tests.breaking.journey import Step
from tests.breaking.matrix import Matrix, Row

ACCEPTANCE = "table mailboxes commit account+message+outbox+content+key"

CRASHES = {
    "stored, no wake-up sent, no answer": Row(ACCEPT, Step(ACCEPTANCE, "after")),
    "a large content without its record": Row(LARGE, Step("blob content put", "after", 2)),
    "about to write that it begins": Row(DRAIN, Step(BEGIN, "before")),
    "written that it begins": Row(DRAIN, Step(BEGIN, "after")),
    "delivered, no reply": Row(DRAIN, Step("smtp content-end-after-store", "after")),
    "delivered, not written": Row(DRAIN, Step(CHAINED, "before")),
    "word left with the holder": Row(TWICE, Step("table mailboxes commit wanted", "after")),
}
LATE = Pause(Step(LAST, "before"), held=True)


@pytest.fixture(scope="module")
def outcomes(matrix: Matrix) -> dict[str, Outcome]:
    """What became of every row; they run side by side, as dead holders' leases take a minute."""
    plays: dict[str, Callable[[], Outcome]] = {
        name: partial(matrix.row, row) for name, row in CRASHES.items()
    }
    plays["paused"] = partial(matrix.play, partial(duel.paused, pause=LATE), "", "")
    plays["together"] = partial(matrix.play, partial(duel.woken_together, wakeups=24), "", "")
    found = matrix.run(list(plays.values()), lambda _count, outcome: print(outcome))
    return dict(zip(plays, found, strict=True))


@pytest.mark.parametrize("name", CRASHES)
def test_a_host_killed_at_the_worst_moment_loses_nothing_and_sends_nothing_twice(
    outcomes: dict[str, Outcome], name: str
) -> None:
    assert outcomes[name].faults == []


def test_a_host_paused_past_its_lease_writes_nothing_when_it_goes_on(
    outcomes: dict[str, Outcome],
) -> None:
    assert outcomes["paused"].faults == []
    assert outcomes["paused"].statuses == ["sent", "sent", "uncertain"]
    assert outcomes["paused"].deliveries == ["nr 0", "nr 1", "nr 2"]


def test_two_hosts_woken_for_the_same_mailbox_send_each_message_once(
    outcomes: dict[str, Outcome],
) -> None:
    assert outcomes["together"].faults == []
    assert outcomes["together"].deliveries == ["nr 0", "nr 1", "nr 2"]
