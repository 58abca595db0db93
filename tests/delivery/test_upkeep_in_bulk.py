"""Upkeep does all that is due, however much that is."""

from dataclasses import replace

import pytest

from shared import wiring
from shared.delivery import upkeep as upkeeping
from shared.delivery.upkeep import Upkeep
from shared.errors import ServiceError
from shared.microsoft.tokens import StoredToken
from shared.schedule import Task
from tests.delivery.post_office import PostOffice, Share


class ClosedVault:
    """A vault that cannot be reached."""

    def forget_refresh_token(self, account_id: str) -> None:  # noqa: ARG002
        raise ServiceError("vault-unavailable")

    def get_refresh_token(self, account_id: str) -> StoredToken | None:  # noqa: ARG002
        raise ServiceError("vault-unavailable")


def upkeep_of(office: PostOffice, accounts: list[str]) -> Upkeep:
    agenda = Share(wiring.agenda(), set(accounts))
    return replace(wiring.upkeep(), agenda=agenda, clock=office.clock, wakeups=office)


def test_a_run_goes_on_past_its_first_batch(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeeping, "BATCH", 4)
    accounts = [f"account-{n}" for n in range(11)]
    upkeep = upkeep_of(office, accounts)
    for account in accounts:
        wiring.agenda().add(Task.SWEEP, account, office.clock())
    office.clock.turn(hours=2)

    assert upkeep.run()[Task.SWEEP] == 11
    assert upkeep.agenda.due(Task.SWEEP, office.clock(), limit=20) == []


def test_what_cannot_be_done_stays_and_holds_nothing_up(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeeping, "BATCH", 2)
    accounts = [f"closed-{n}" for n in range(4)]
    upkeep = upkeep_of(office, accounts)
    for account in accounts:
        wiring.agenda().add(Task.PURGE, account, office.clock())
    office.clock.turn(hours=3)

    assert replace(upkeep, vault=ClosedVault).run()[Task.PURGE] == 0
    assert upkeep.run()[Task.PURGE] == 4
