"""Whoever dies while looking after a mailbox, what it left is found."""

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from shared.delivery import verdict
from shared.delivery.drain import drain
from shared.errors import ServiceError
from shared.messages.record import Record
from shared.schedule import Sent
from shared.store.lease import Lease
from shared.store.outbox import Entry
from tests.delivery.post_office import PostOffice


@dataclass(slots=True)
class Unreachable:
    """A queue that cannot be reached, as it is for a process that dies before it sent."""

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:  # noqa: ARG002
        raise ServiceError("storage-unavailable")


def held(office: PostOffice, account: str) -> Lease:
    """The lease of a drain that goes no further."""
    lease = office.crew.leases.acquire(account, office.clock(), lambda _at: None)
    assert isinstance(lease, Lease)
    return lease


def test_who_dies_before_leaving_word_does_not_silence_the_next(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account, "nr 0")
    held(office, account.id)
    with pytest.raises(ServiceError):
        drain(replace(office.crew, wakeups=Unreachable()), account.id)
    office.woken.clear()

    office.drain(account)
    [(_, at)] = office.woken
    office.clock.ahead += at - office.clock()
    office.drain(account)

    assert office.subjects(account) == ["nr 0"]


def test_a_holder_that_renewed_and_died_is_found_by_the_second_wake_up(
    office: PostOffice,
) -> None:
    account = office.open_account()
    office.post(account, "nr 0")
    lease = held(office, account.id)
    office.woken.clear()
    office.drain(account)
    office.drain(account)  # leaves it at the word that was left
    office.clock.turn(seconds=20)
    lease.renew(office.clock())

    moments = []
    for _ in range(2):
        [(_, at)] = office.woken
        moments.append(at)
        office.woken.clear()
        office.clock.ahead += at - office.clock()
        office.drain(account)

    assert office.subjects(account) == ["nr 0"]
    assert 15 < (moments[1] - moments[0]).total_seconds() < 25


def test_what_a_dead_sender_began_is_sent_again_at_once_where_that_was_asked_for(
    office: PostOffice,
) -> None:
    account = office.open_account()
    first = office.post(account, "nr 0", on_uncertain="resend")
    office.post(account, "nr 1")
    lease = held(office, account.id)
    [entry, _] = office.crew.messages.outbox(account.id, 2)
    lease.begin(entry, verdict.started(first), office.clock())
    office.clock.turn(minutes=2)

    office.drain(account)

    assert office.subjects(account) == ["nr 0", "nr 1"]
    assert [one.outcome for one in office.record(first).attempts] == ["uncertain", "sent"]


def test_a_sender_that_slept_past_its_lease_is_woken_for_what_it_left(office: PostOffice) -> None:
    account = office.open_account()
    records = [office.post(account, f"nr {n}") for n in range(2)]
    lease = held(office, account.id)
    office.woken.clear()

    class Sleeper:
        """Leases as they are, but the process sleeps once a message's beginning is written."""

        def acquire(self, *_given: object) -> Lease:
            begin = lease.begin

            def begin_and_sleep(entry: Entry, record: Record, now: datetime) -> None:
                begin(entry, record, now)
                office.clock.turn(minutes=2)

            lease.begin = begin_and_sleep  # type: ignore[method-assign]
            return lease

    drain(replace(office.crew, leases=Sleeper()), account.id)
    assert office.subjects(account) == []
    [(_, at)] = office.woken
    office.clock.ahead += at - office.clock()
    office.drain(account)

    assert [office.record(one).status.value for one in records] == ["uncertain", "sent"]
    assert office.subjects(account) == ["nr 1"]
