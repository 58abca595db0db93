"""The drain: order, retries, uncertainty, holding, pacing."""

from datetime import timedelta

from shared import wiring
from shared.accounts.account import AccountStatus
from shared.messages import settle
from shared.messages.record import MessageStatus
from tests.delivery.post_office import PostOffice


def test_messages_leave_in_order_over_one_session(office: PostOffice) -> None:
    account = office.open_account()
    records = [office.post(account, f"nr {n}") for n in range(5)]
    before = office.stack.exchange.counts()["authentications"]

    office.drain(account)

    assert office.subjects(account) == [f"nr {n}" for n in range(5)]
    assert {office.record(one).status for one in records} == {MessageStatus.SENT}
    assert office.stack.exchange.counts()["authentications"] - before == 1
    assert wiring.messages().waiting(account.id) == 0
    assert office.account(account).last_sent_at is not None


def test_a_temporary_refusal_is_tried_again_in_place(office: PostOffice) -> None:
    account = office.open_account()
    first, second = office.post(account, "nr 0"), office.post(account, "nr 1")
    office.stack.exchange.reply_next("content", "451 4.3.2 Temporary server error")

    office.drain(account)

    assert office.subjects(account) == []
    assert office.record(first).status is MessageStatus.QUEUED
    assert office.woken[-1][0] == account.id

    office.clock.turn(seconds=30)
    office.drain(account)

    assert office.subjects(account) == ["nr 0", "nr 1"]
    assert [one.outcome for one in office.record(first).attempts] == ["deferred", "sent"]
    assert len(office.record(second).attempts) == 1


def test_a_break_after_the_content_is_uncertain_and_never_sent_again(office: PostOffice) -> None:
    account = office.open_account()
    first, second = office.post(account, "nr 0"), office.post(account, "nr 1")
    office.stack.exchange.drop_at("content-end-after-store")

    office.drain(account)
    office.clock.turn(minutes=5)
    office.drain(account)

    assert office.record(first).status is MessageStatus.UNCERTAIN
    assert office.record(second).status is MessageStatus.SENT
    assert office.subjects(account) == ["nr 0", "nr 1"]


def test_an_uncertain_message_is_sent_again_on_request(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.drop_at("content-end-before-store")
    office.drain(account)

    wiring.messages().settle(account.id, record.id, settle.resolve("resend", office.clock()))
    office.clock.turn(minutes=5)
    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT
    assert office.subjects(account) == ["Faktura"]


def test_a_break_before_the_content_is_just_tried_again(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    for stage in ("mail", "rcpt", "data"):
        office.stack.exchange.drop_at(stage)
        office.drain(account)
        assert office.record(record).status is MessageStatus.QUEUED, stage
        office.clock.turn(hours=1)
    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT
    assert office.subjects(account) == ["Faktura"]


def test_mail_is_held_until_an_admin_acts_and_then_leaves_by_itself(office: PostOffice) -> None:
    account = office.open_account()
    office.stack.exchange.allow_smtp_auth(account.username, allowed=False)
    record = office.post(account)

    office.drain(account)

    held = office.account(account)
    assert held.status is AccountStatus.ACTION_REQUIRED
    assert held.obstacle is not None
    assert held.obstacle.code == "smtp-auth-disabled-mailbox"
    assert office.record(record).status is MessageStatus.QUEUED

    office.stack.exchange.allow_smtp_auth(account.username)
    office.clock.turn(minutes=10)
    office.drain(account)

    assert office.account(account).status is AccountStatus.CONNECTED
    assert office.subjects(account) == ["Faktura"]


def test_thirty_messages_a_minute_and_no_more(office: PostOffice) -> None:
    account = office.open_account()
    for n in range(35):
        office.post(account, f"nr {n}")

    office.drain(account)

    assert len(office.subjects(account)) == 30
    _, at = office.woken[-1]
    assert timedelta(seconds=50) < at - office.clock() <= timedelta(seconds=61)
    office.drain(account)
    assert len(office.subjects(account)) == 30
    assert office.stack.exchange.breaches() == {}


def test_two_drains_at_once_send_each_message_once(office: PostOffice) -> None:
    account = office.open_account()
    for n in range(10):
        office.post(account, f"nr {n}")

    office.drain_at_once(account, 4)

    assert office.subjects(account) == [f"nr {n}" for n in range(10)]
    assert office.stack.exchange.duplicates() == {}


def test_a_message_refused_five_times_makes_way_and_is_woken_for(office: PostOffice) -> None:
    account = office.open_account()
    first, second = office.post(account, "nr 0"), office.post(account, "nr 1")
    office.stack.exchange.reply_next("mail", "451 4.3.2 Temporary server error", times=5)
    for _ in range(4):
        office.drain(account)
        assert office.subjects(account) == []
        office.clock.turn(minutes=2)
    office.woken.clear()

    office.drain(account)

    assert office.record(second).status is MessageStatus.SENT
    assert office.record(first).status is MessageStatus.QUEUED
    assert [at for _, at in office.woken] == [office.record(first).next_attempt_at]
    office.clock.turn(minutes=2)
    office.drain(account)
    assert office.subjects(account) == ["nr 1", "nr 0"]
