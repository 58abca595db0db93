"""Some recipients refused for now: the others get the message, these get it later, once."""

import dataclasses
from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import Account
from shared.errors import ServiceError
from shared.messages import settle
from shared.messages.record import MessageStatus, Record
from tests.delivery.post_office import PostOffice

LATER = "452 4.5.3 Too many recipients"
NEVER = "550 5.1.10 Recipient not found"
THREE = ["ola@kunde.no", "siri@kunde.no", "per@kunde.no"]


@pytest.fixture
def account(office: PostOffice) -> Account:
    return office.open_account()


@pytest.fixture
def partly_sent(office: PostOffice, account: Account) -> Record:
    """Ola has it, Siri does not exist, and Per is to be tried later."""
    record = office.post(account, to=THREE)
    office.stack.exchange.refuse_recipient("siri@kunde.no", NEVER)
    office.stack.exchange.refuse_recipient("per@kunde.no", LATER)
    office.drain(account)
    return office.record(record)


def served(office: PostOffice, account: Account) -> list[tuple[str, ...]]:
    delivered = office.stack.exchange.delivered
    assert len({one.message_id for one in delivered}) <= 1
    return [one.rcpt_to for one in delivered if one.mail_from == account.address]


def refused(record: Record) -> dict[str, int]:
    return {address: reply.code for address, reply in record.refused}


def test_the_others_have_it_and_the_rest_waits(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    assert served(office, account) == [("ola@kunde.no",)]
    assert partly_sent.status is MessageStatus.QUEUED
    assert partly_sent.left == ("per@kunde.no",)
    assert refused(partly_sent) == {"siri@kunde.no": 550, "per@kunde.no": 452}
    waits = office.woken[-1][1] - office.clock()
    assert timedelta(seconds=3) < waits <= timedelta(seconds=5)


def test_the_rest_is_served_later_and_alone(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    office.clock.turn(seconds=6)
    office.drain(account)  # not yet
    office.stack.exchange.restore()
    office.clock.turn(seconds=11)
    office.drain(account)

    after = office.record(partly_sent)
    assert after.status is MessageStatus.SENT
    assert served(office, account) == [("ola@kunde.no",), ("per@kunde.no",)]
    assert [one.outcome for one in after.attempts] == ["sent", "deferred", "sent"]
    assert refused(after) == {"siri@kunde.no": 550}
    assert after.sent_at == partly_sent.sent_at
    assert wiring.messages().waiting(account.id) == 0
    assert wiring.messages().content(after) is None


def test_others_need_not_wait_behind_the_rest(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    following = office.post(account, "nr 2")

    office.drain(account)

    assert office.record(following).status is MessageStatus.SENT
    assert office.record(partly_sent).status is MessageStatus.QUEUED


def test_who_is_refused_for_good_later_goes_without(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    office.stack.exchange.refuse_recipient("per@kunde.no", NEVER)
    office.clock.turn(seconds=6)
    office.drain(account)

    after = office.record(partly_sent)
    assert after.status is MessageStatus.SENT
    assert refused(after) == {"siri@kunde.no": 550, "per@kunde.no": 550}
    assert served(office, account) == [("ola@kunde.no",)]


def test_when_its_time_is_up_the_rest_goes_without(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    office.clock.turn(days=31)
    office.drain(account)

    after = office.record(partly_sent)
    assert after.status is MessageStatus.SENT
    assert refused(after) == {"siri@kunde.no": 550, "per@kunde.no": 452}
    assert after.trouble is None


@pytest.mark.parametrize(("as_", "copies"), [("sent", 1), ("resend", 2)])
def test_a_lost_reply_leaves_only_the_rest_uncertain(
    office: PostOffice, account: Account, partly_sent: Record, as_: str, copies: int
) -> None:
    office.stack.exchange.restore()
    office.stack.exchange.drop_at("content-end-after-store")
    office.clock.turn(seconds=6)
    office.drain(account)
    assert office.record(partly_sent).status is MessageStatus.UNCERTAIN

    moment = office.clock()
    wiring.messages().settle(account.id, partly_sent.id, settle.resolve(as_, moment))
    office.clock.turn(minutes=2)
    office.drain(account)

    after = office.record(partly_sent)
    assert after.status is MessageStatus.SENT
    assert served(office, account) == [("ola@kunde.no",)] + [("per@kunde.no",)] * copies
    assert refused(after) == {"siri@kunde.no": 550}


def test_what_some_have_cannot_be_cancelled(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    with pytest.raises(ServiceError) as refusal:
        wiring.messages().settle(account.id, partly_sent.id, settle.cancel)

    assert refusal.value.code == "not-cancellable"


def test_a_refusal_of_the_content_for_the_rest_is_the_reply_they_got(
    office: PostOffice, account: Account, partly_sent: Record
) -> None:
    office.stack.exchange.restore()
    office.stack.exchange.reply_next("content", "550 5.7.509 DMARC")
    office.clock.turn(seconds=6)
    office.drain(account)

    after = office.record(partly_sent)
    assert after.status is MessageStatus.SENT
    assert refused(after) == {"siri@kunde.no": 550, "per@kunde.no": 550}
    assert dict(after.refused)["per@kunde.no"].enhanced == "5.7.509"


def test_all_refused_for_now_is_one_more_try_for_all(office: PostOffice, account: Account) -> None:
    record = office.post(account, to=THREE)
    for address in THREE:
        office.stack.exchange.refuse_recipient(address, LATER)
    office.drain(account)
    assert office.record(record).left is None

    office.stack.exchange.restore()
    office.clock.turn(seconds=6)
    office.drain(account)

    assert office.record(record) == dataclasses.replace(
        office.record(record), status=MessageStatus.SENT, refused=(), left=None
    )
    assert served(office, account) == [tuple(THREE)]
