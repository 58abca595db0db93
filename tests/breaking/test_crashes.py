"""Hosts that are killed or paused at the worst moments: some rows of ``make crash``, at once."""

import pytest

from tests.breaking.crash import Outcome
from tests.breaking.selection import CRASHES


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
