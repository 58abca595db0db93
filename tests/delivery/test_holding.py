"""Held mail: what waits for somebody is looked at again, by a clock of its own."""

from datetime import timedelta

from shared.accounts.account import AccountStatus
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
