"""Pacing: Exchange's limits are kept, and a mailbox at its limit is nobody else's trouble."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import Account, AccountStatus
from shared.identifiers import new_identifier
from shared.messages.record import MessageStatus
from shared.store.outbox import outbox_values
from shared.store.rows import content_key, message_key, outbox_key, pack, record_properties
from shared.store.table import Kind, Write
from tests.delivery.post_office import PostOffice

LIMITS = [
    ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", 30),
    ("451 4.7.500 Access denied, please try again later", 600),
    ("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", 3600),
]


@pytest.mark.parametrize(("reply", "seconds"), LIMITS)
def test_a_limit_is_no_failure_however_often_it_is_met(
    office: PostOffice, reply: str, seconds: int
) -> None:
    account = office.open_account()
    first, second = office.post(account, "nr 0"), office.post(account, "nr 1")
    office.stack.exchange.reply_next("content", reply, times=8)
    for _ in range(8):
        office.drain(account)
        waits = office.woken[-1][1] - office.clock()
        assert timedelta(seconds=seconds - 3) < waits <= timedelta(seconds=seconds)
        office.clock.turn(seconds=seconds + 1)

    office.drain(account)

    assert [one.outcome for one in office.record(first).attempts] == ["paced"] * 8 + ["sent"]
    assert len(office.record(second).attempts) == 1
    assert office.subjects(account) == ["nr 0", "nr 1"]


@pytest.mark.parametrize(
    "reply", ["450 4.7.3 Organization queue quota exceeded", "550 5.7.233 tenant exceeded"]
)
def test_a_tenants_limit_stops_all_its_mailboxes_and_no_other(
    office: PostOffice, reply: str
) -> None:
    kari = office.open_account(f"kari@{office.customer}.no")
    ola = office.open_account(f"ola@{office.customer}.no")
    other = office.open_account(f"per@annen-{office.customer}.no")
    office.stack.exchange.reply_next("content", reply)
    for account in (kari, ola, other):
        office.post(account)
        office.drain(account)

    assert [len(office.subjects(one)) for one in (kari, ola, other)] == [0, 0, 1]
    assert office.account(ola).status is AccountStatus.CONNECTED
    pause = office.woken[-2][1] - office.clock()
    assert timedelta(minutes=9) < pause <= timedelta(hours=1)

    office.clock.turn(seconds=pause.total_seconds() + 1)
    for account in (kari, ola):
        office.drain(account)
    assert [len(office.subjects(one)) for one in (kari, ola, other)] == [1, 1, 1]


def test_recipients_count_by_the_day(office: PostOffice) -> None:
    account = office.open_account()
    many = [f"kunde{n}@kunde.no" for n in range(400)]
    for n in range(26):
        office.post(account, f"nr {n}", to=many)

    office.drain(account)

    assert len(office.subjects(account)) == 25
    waits = office.woken[-1][1] - office.clock()
    assert timedelta(hours=24) <= waits <= timedelta(hours=25)
    assert office.stack.exchange.breaches() == {}


def test_five_thousand_waiting_messages_delay_no_other_mailbox(office: PostOffice) -> None:
    busy, other = office.open_account(), office.open_account()
    wait(office, busy, 5_000)
    record = office.post(other)

    office.drain(busy)
    office.drain(other)

    assert office.record(record).status is MessageStatus.SENT
    assert len(office.subjects(busy)) == 30
    assert wiring.messages().waiting(busy.id) == 4_970


def wait(office: PostOffice, account: Account, many: int) -> None:
    """Put copies of one message into the outbox; a drain looks at the first forty of them."""
    first = office.post(account, "nr 0")
    content = wiring.messages().content(first)
    assert content is not None
    writes = []
    for n in range(1, many):
        moment = first.created_at + timedelta(milliseconds=n)
        copy = replace(first, id=new_identifier(moment), created_at=moment)
        writes.append(Write(Kind.INSERT, outbox_key(moment, copy.id), outbox_values(copy)))
        if n < 40:
            writes.append(Write(Kind.INSERT, message_key(copy.id), record_properties(copy)))
            writes.append(Write(Kind.INSERT, content_key(copy.id), pack("c", content)))
    for start in range(0, len(writes), 100):
        wiring._table("mailboxes").commit(account.id, writes[start : start + 100])
    office.clock.turn(seconds=many / 1000)
