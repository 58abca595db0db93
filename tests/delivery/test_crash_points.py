"""A drain that dies before or after any call to the store loses nothing, sends nothing twice."""

import contextlib

import pytest

from shared import wiring
from shared.delivery.drain import drain
from shared.messages.record import MessageStatus
from tests.delivery.crashing import DiedError, MortalTable
from tests.delivery.post_office import PostOffice

MESSAGES = 3
NEVER = 1_000


def drain_mortally(office: PostOffice, account_id: str, fatal: int, moment: str) -> MortalTable:
    table = MortalTable(wiring._table("mailboxes"), fatal, moment)
    with contextlib.suppress(DiedError):
        drain(office.crew_at(table), account_id)
    return table


@pytest.mark.parametrize("moment", ["before", "after"])
def test_every_call_to_the_store_may_be_the_last(office: PostOffice, moment: str) -> None:
    rehearsal = office.open_account()
    for n in range(MESSAGES):
        office.post(rehearsal, f"nr {n}")
    steps = drain_mortally(office, rehearsal.id, NEVER, moment).calls

    table = []
    for fatal, step in enumerate(steps, start=1):
        account = office.open_account()
        records = [office.post(account, f"nr {n}") for n in range(MESSAGES)]
        drain_mortally(office, account.id, fatal, moment)
        office.clock.turn(minutes=2)
        office.drain(account)
        office.clock.turn(minutes=2)
        office.drain(account)

        ends = [office.record(one).status for one in records]
        sent = office.subjects(account)
        assert set(ends) <= {MessageStatus.SENT, MessageStatus.UNCERTAIN}, step
        assert ends.count(MessageStatus.UNCERTAIN) <= 1, step
        assert len(sent) == len(set(sent)), step
        for n, end in enumerate(ends):
            assert end is MessageStatus.UNCERTAIN or f"nr {n}" in sent, step
        assert sent == sorted(sent), step
        assert wiring.messages().waiting(account.id) == 0, step
        table.append(f"{moment:6} {step[:60]:60} {' '.join(end.value for end in ends)}")
    print("\n".join(table))
    assert len(table) > 8
