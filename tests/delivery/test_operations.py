"""What a message costs at the store: counted, so that it cannot grow unnoticed."""

from shared import wiring
from shared.delivery.drain import drain
from shared.messages.accept import Intake
from shared.store.messages import CONTENT_IN_PARTITION, Messages
from tests.delivery.crashing import MortalTable
from tests.delivery.post_office import PostOffice

NEVER = 1_000_000


def counting() -> MortalTable:
    return MortalTable(wiring._table("mailboxes"), NEVER, "before")


def test_accepting_is_one_transaction_and_one_wake_up(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account)  # the first of the hour puts the mailbox on the agenda
    table = counting()
    intake = Intake(
        messages=Messages(table, wiring.contents),
        agenda=wiring.agenda(),
        wakeups=office,
        largest_in_partition=CONTENT_IN_PARTITION,
        clock=office.clock,
    )
    watched = wiring.register().find_watched(office.customer, account.id)
    office.woken.clear()

    intake.accept(watched, office.composing("Faktura"))

    assert table.calls == ["commit merge account insert message insert outbox insert content"]
    assert len(office.woken) == 1


def test_a_steady_drain_is_one_transaction_a_message(office: PostOffice) -> None:
    account = office.open_account()
    for n in range(20):
        office.post(account, f"nr {n}")
    table = counting()

    drain(office.crew_at(table), account.id)

    commits = [call for call in table.calls if call.startswith("commit")]
    reads = [call for call in table.calls if not call.startswith("commit")]
    assert len(office.subjects(account)) == 20
    assert len(commits) == 20 + 2  # taking the lease, and giving it back with the last result
    assert len(reads) == 20 * 2 + 3  # record and content of each; lease, account, outbox


def test_a_message_costs_the_same_with_a_long_history(office: PostOffice) -> None:
    account = office.open_account()
    costs = []
    for _ in range(3):
        for n in range(8):
            office.post(account, f"nr {n}")
        table = counting()
        drain(office.crew_at(table), account.id)
        costs.append(len(table.calls))
        office.clock.turn(minutes=2)

    assert len(set(costs)) == 1


def test_a_wake_up_of_a_resting_mailbox_costs_one_read(office: PostOffice) -> None:
    account = office.open_account()
    for n in range(31):
        office.post(account, f"nr {n}")
    office.drain(account)
    table = counting()

    for _ in range(5):
        drain(office.crew_at(table), account.id)

    assert table.calls == ["get lease"] * 5
