"""Held mail: what waits for somebody is looked at again, by a clock of its own."""

from datetime import timedelta

from shared import wiring
from shared.accounts.account import AccountStatus
from shared.messages.record import MessageStatus
from tests.delivery.post_office import PostOffice


def test_failures_before_a_hold_do_not_put_off_the_first_look_at_it(office: PostOffice) -> None:
    account = office.open_account()
    office.post(account)
    for _ in range(4):
        office.stack.exchange.reply_next("greeting", "421 4.3.2 Service not available")
        office.drain(account)
        office.clock.turn(minutes=2)
    office.stack.exchange.allow_smtp_auth(account.username, allowed=False)

    office.drain(account)

    assert office.account(account).status is AccountStatus.ACTION_REQUIRED
    waits = office.woken[-1][1] - office.clock()
    assert timedelta(minutes=4, seconds=55) < waits <= timedelta(minutes=5)

    office.clock.turn(minutes=6)
    office.drain(account)
    waits = office.woken[-1][1] - office.clock()
    assert timedelta(minutes=9, seconds=55) < waits <= timedelta(minutes=10)


def test_held_mail_is_not_tried_and_leaves_in_order_and_paced(office: PostOffice) -> None:
    account = office.open_account()
    office.stack.exchange.allow_smtp_auth(account.username, allowed=False)
    records = [office.post(account, f"nr {n:02}") for n in range(35)]
    office.drain(account)
    for _ in range(3):
        office.drain(account)
    assert sum(len(office.record(one).attempts) for one in records) == 1

    office.stack.exchange.allow_smtp_auth(account.username)
    office.clock.turn(minutes=6)
    office.drain(account)
    assert office.subjects(account) == [f"nr {n:02}" for n in range(30)]
    waits = office.woken[-1][1] - office.clock()
    assert timedelta(seconds=50) < waits <= timedelta(seconds=61)


def test_held_mail_does_not_fail_while_it_waits_and_not_right_after(office: PostOffice) -> None:
    account = office.open_account()
    office.stack.exchange.allow_smtp_auth(account.username, allowed=False)
    record = office.post(account)
    office.drain(account)
    office.clock.turn(days=20)
    office.drain(account)
    assert office.record(record).status is MessageStatus.QUEUED

    office.stack.exchange.allow_smtp_auth(account.username)
    office.stack.exchange.reply_next("mail", "451 4.3.2 Temporary server error")
    office.clock.turn(hours=7)
    office.drain(account)
    assert office.account(account).status is AccountStatus.CONNECTED
    assert office.record(record).status is MessageStatus.QUEUED
    office.clock.turn(minutes=1)
    office.drain(account)
    assert office.record(record).status is MessageStatus.SENT


def test_nobody_waits_longer_than_a_month(office: PostOffice) -> None:
    account = office.open_account()
    office.stack.entra.revoke_sessions(account.username)
    wiring.access_tokens().forget(account.id)
    record = office.post(account)
    office.drain(account)

    office.clock.turn(days=30, hours=1)
    office.drain(account)

    after = office.record(record)
    assert after.status is MessageStatus.FAILED
    assert after.trouble is not None
    assert after.trouble.code == "held-too-long"
