"""What is past its time leaves a mailbox, a page at a time, and nothing younger does."""

from datetime import timedelta

from shared import wiring
from shared.messages.accept import Key
from shared.messages.record import MessageStatus
from shared.store.retention import Retention
from tests.delivery.crashing import MortalTable
from tests.delivery.post_office import PostOffice

NEVER = 1_000_000


def test_old_records_go_page_by_page_with_the_contents_of_the_unsent(
    office: PostOffice,
) -> None:
    account = office.open_account()
    records = [office.post(account, f"nr {n}") for n in range(3)]
    office.stack.exchange.reply_next("content", "550 5.6.11 Invalid characters")
    office.drain(account)
    office.clock.turn(hours=1)
    young = office.post(account, "nr 3")
    table = MortalTable(wiring._table("mailboxes"), NEVER, "before")
    keeper = Retention(table, page=2)
    before = office.clock() - timedelta(minutes=30)
    assert office.record(records[0]).status is MessageStatus.FAILED
    assert wiring.messages().content(records[0]) is not None

    assert not keeper.drop_records(account.id, before)
    assert keeper.drop_records(account.id, before)

    assert [wiring.messages().record(account.id, one.id) for one in records] == [None] * 3
    assert wiring.messages().content(records[0]) is None
    assert office.record(young).status is MessageStatus.QUEUED
    deletions = [call for call in table.calls if call.startswith("commit")]
    assert len(deletions) == 3  # two pages of records, one content; never row by row


def test_keys_go_after_a_day_and_younger_ones_are_waited_for(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account, key=Key("a" * 64, "f" * 64))
    keeper = Retention(wiring._table("mailboxes"))

    assert not keeper.drop_keys(account.id, office.clock() - timedelta(hours=24))
    assert wiring.messages().kept(account.id, "a" * 64, office.clock()) is not None

    assert keeper.drop_keys(account.id, office.clock() + timedelta(seconds=1))
    assert wiring.messages().kept(account.id, "a" * 64, office.clock()) is None
