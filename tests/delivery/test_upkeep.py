"""Upkeep: what nobody asks for happens when it is due, for those it is due for."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

from shared import wiring
from shared.accounts.account import AccountStatus
from shared.errors import ServiceError
from shared.messages.accept import Key
from shared.messages.record import MessageStatus
from shared.schedule import Task
from shared.store.accounts import Accounts
from shared.store.agenda import Agenda
from shared.store.leases import Leases
from shared.store.messages import Messages
from shared.store.table import Table
from tests.delivery.crashing import MortalTable
from tests.delivery.post_office import PostOffice

NEVER = 1_000_000


class LostWakeups:
    """A queue that takes nothing."""

    def send(self, *_: object, **__: object) -> None:
        raise ServiceError("storage-unavailable")


def test_a_mailbox_whose_wake_up_was_lost_is_woken_within_the_hour(office: PostOffice) -> None:
    account = office.open_account()
    office.intake._wakeups = LostWakeups()  # type: ignore[assignment]
    record = office.post(account)
    office.woken.clear()

    office.clock.turn(hours=1, minutes=6)
    office.keep_up(account)

    assert [one for one, _ in office.woken] == [account.id]
    office.drain(account)
    assert office.record(record).status is MessageStatus.SENT
    office.woken.clear()
    office.clock.turn(hours=3)
    office.keep_up(account)
    assert office.woken == []


def test_scheduled_mail_is_looked_after_until_its_time(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account, send_at=(office.clock() + timedelta(days=20)).isoformat())
    for _ in range(3):
        office.clock.turn(days=5)
        office.woken.clear()
        office.keep_up(account)
        assert office.woken == []

    office.clock.turn(days=5, hours=2)
    office.keep_up(account)

    assert [one for one, _ in office.woken] == [account.id]


def test_a_refresh_token_is_used_before_it_dies_of_disuse(office: PostOffice) -> None:
    account = office.open_account()
    stored = wiring.vault().get_refresh_token(account.id)
    assert stored is not None
    office.clock.turn(days=44)
    office.keep_up(account)
    asked = office.stack.entra.counts().get("grant refresh_token", 0)

    office.clock.turn(days=2)
    office.keep_up(account)

    assert office.stack.entra.counts()["grant refresh_token"] - asked == 1
    fresh = wiring.vault().get_refresh_token(account.id)
    assert fresh is not None
    assert fresh.token != stored.token
    due = wiring.agenda().due(Task.KEEP_ALIVE, office.clock() + timedelta(days=46), limit=10_000)
    assert account.id in {item.account for item in due}


def test_a_token_that_cannot_be_kept_alive_today_is_tried_tomorrow(office: PostOffice) -> None:
    account = office.open_account()
    office.clock.turn(days=46)
    office.stack.entra.fail_next(0, "unavailable", "token")
    office.keep_up(account)
    assert wiring.vault().get_refresh_token(account.id) is not None

    office.stack.entra.restore()
    asked = office.stack.entra.counts().get("grant refresh_token", 0)
    office.clock.turn(days=2)
    office.keep_up(account)

    assert office.stack.entra.counts()["grant refresh_token"] - asked == 1


def test_an_account_that_nobody_connected_goes_after_a_month(office: PostOffice) -> None:
    body = {"type": "office365", "username": f"ola@{office.customer}.no"}
    pending = wiring.register().draft(office.customer, body, office.clock())
    wiring.register().open(pending)
    connected = office.open_account()
    office.clock.turn(days=29)
    office.keep_up(pending, connected)
    assert office.account(pending).status is AccountStatus.PENDING

    office.clock.turn(days=3)
    office.keep_up(pending, connected)

    assert wiring.accounts().get(pending.id) is None
    assert office.account(connected).status is AccountStatus.CONNECTED


def test_records_go_after_ninety_days_and_keys_after_one(office: PostOffice) -> None:
    account = office.open_account()
    key = Key("a" * 64, "f" * 64)
    record = office.post(account, key=key)
    office.drain(account)
    table = wiring._table("mailboxes")

    office.clock.turn(days=3)
    office.keep_up(account)
    assert table.range(account.id, "key:", "key;") == []
    assert office.record(record).status is MessageStatus.SENT

    office.clock.turn(days=95)
    office.keep_up(account)
    assert wiring.messages().record(account.id, record.id) is None


def test_upkeep_reads_what_is_due_and_nothing_else(office: PostOffice) -> None:
    for _ in range(5):
        office.post(office.open_account())
    seen = MortalTable(wiring._table("upkeep"), NEVER, "before")
    mailboxes = MortalTable(wiring._table("mailboxes"), NEVER, "before")
    store = as_table(mailboxes)
    upkeep = replace(
        wiring.upkeep(),
        agenda=Agenda(as_table(seen)),
        accounts=Accounts(store, Leases(store)),
        messages=Messages(store, wiring.contents),
        wakeups=office,
        clock=lambda: office.clock() - timedelta(days=1),  # nothing of this run is due by then
    )

    upkeep.run()

    assert len(seen.calls) == len(Task)  # one look at what is due of each kind
    assert mailboxes.calls == []


def as_table(table: MortalTable) -> Table:
    return cast("Table", table)
