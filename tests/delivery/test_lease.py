"""The lease: kept while its holder works, and given back without missing who came meanwhile."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import Account
from shared.delivery.drain import _renewed, drain
from shared.messages import settle
from shared.messages.record import MessageStatus
from shared.store.lease import Lease, LeaseLostError
from shared.store.rows import LEASE
from shared.store.table import Table, Write
from tests.delivery.post_office import PostOffice


@dataclass(slots=True)
class Interrupted:
    """A table that lets something happen once, right before the lease would be given back."""

    table: Table
    happens: Callable[[], None]
    happened: list[bool] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.table, name)

    def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        gives_back = writes[0].row == LEASE and writes[0].values.get("holder") == ""
        if gives_back and not self.happened:
            self.happened.append(True)
            self.happens()
        return self.table.commit(partition, writes)


def acquire(office: PostOffice, account: Account) -> object:
    """Take the lease as another drain would."""
    return wiring.leases().acquire(account.id, office.clock(), lambda _: None)


def test_what_arrives_while_a_drain_is_ending_is_sent_by_it(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account, "nr 0")

    def another_message_and_its_wake_up() -> None:
        office.post(account, "nr 1")
        office.drain(account)  # meets the held lease and goes

    table = Interrupted(wiring._table("mailboxes"), another_message_and_its_wake_up)
    drain(office.crew_at(table), account.id)  # type: ignore[arg-type]

    assert table.happened
    assert office.subjects(account) == ["nr 0", "nr 1"]
    assert wiring.messages().waiting(account.id) == 0


@pytest.mark.parametrize("others", [0, 2])
def test_a_message_taken_back_before_its_failure_is_written_stays_taken_back(
    office: PostOffice, others: int
) -> None:
    account = office.open_account()
    for n in range(others):
        office.post(account, f"nr {n}")
    end = office.clock() + timedelta(minutes=10)
    record = office.post(account, "cancelled", expires_at=end.isoformat())
    office.clock.turn(minutes=11)

    def cancelled() -> None:
        wiring.messages().settle(account.id, record.id, settle.cancel)

    table = Interrupted(wiring._table("mailboxes"), cancelled)
    drain(office.crew_at(table), account.id)  # type: ignore[arg-type]

    after = office.record(record)
    assert table.happened
    assert after.status is MessageStatus.CANCELLED
    assert wiring.messages().waiting(account.id) == 0
    assert office.subjects(account) == [f"nr {n}" for n in range(others)]
    assert isinstance(acquire(office, account), Lease)  # it was given back in order


def test_a_working_holder_keeps_its_lease(office: PostOffice) -> None:
    account = office.open_account()
    lease = acquire(office, account)
    assert isinstance(lease, Lease)

    with _renewed(lease, office.clock, timedelta(seconds=0.05)):
        for _ in range(4):
            office.clock.turn(seconds=40)
            time.sleep(0.3)
            assert not isinstance(acquire(office, account), Lease)
            assert lease.is_safe(office.clock())


def test_who_lost_the_lease_can_write_nothing(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    slow = acquire(office, account)
    assert isinstance(slow, Lease)
    entry = wiring.messages().outbox(account.id, 1)[0]

    office.clock.turn(seconds=66)
    office.drain(account)
    assert office.record(record).status is MessageStatus.SENT

    with pytest.raises(LeaseLostError):
        slow.begin(entry, record, office.clock())
    slow.finish(entry, record)
    with pytest.raises(LeaseLostError):
        slow.release(office.clock())
    assert office.record(record).status is MessageStatus.SENT
    assert office.subjects(account) == ["Faktura"]


def test_the_connection_is_kept_for_the_next_drain(office: PostOffice) -> None:
    account = office.open_account()
    before = office.stack.exchange.counts()["authentications"]
    for n in range(3):
        office.post(account, f"nr {n}")
        office.drain(account)

    assert office.subjects(account) == ["nr 0", "nr 1", "nr 2"]
    assert office.stack.exchange.counts()["authentications"] - before == 1
