"""A caller's word: when a message leaves, until when it is tried, and what becomes of it then."""

import threading
from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import Account
from shared.errors import ServiceError
from shared.messages import settle
from shared.messages.accept import Key
from shared.messages.record import MessageStatus, Record
from tests.delivery.post_office import PostOffice

TEMPORARY = "451 4.3.2 Temporary server error"


def settled(account: Account, record: Record, settlement: settle.Settlement) -> Record:
    after = wiring.messages().settle(account.id, record.id, settlement)
    assert after is not None
    return after


def test_send_at_is_kept_to_and_holds_up_nobody(office: PostOffice) -> None:
    account = office.open_account()
    later = office.clock() + timedelta(hours=2)
    scheduled = office.post(account, "later", send_at=later.isoformat())
    office.post(account, "now")

    office.drain(account)

    assert office.subjects(account) == ["now"]
    assert abs(office.woken[-1][1] - later) < timedelta(seconds=1)
    office.clock.turn(hours=2, seconds=1)
    office.drain(account)
    assert office.subjects(account) == ["now", "later"]
    assert office.record(scheduled).status is MessageStatus.SENT


def test_a_waiting_message_can_be_taken_back(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)

    assert settled(account, record, settle.cancel).status is MessageStatus.CANCELLED

    office.drain(account)
    assert office.subjects(account) == []
    assert wiring.messages().waiting(account.id) == 0
    assert wiring.messages().content(record) is None
    assert settled(account, record, settle.cancel).status is MessageStatus.CANCELLED


def test_what_is_sent_cannot_be_taken_back_nor_tried_again(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.drain(account)

    for settlement, code in (
        (settle.cancel, "not-cancellable"),
        (settle.retry_at(office.clock()), "not-retryable"),
        (settle.resolve("resend", office.clock()), "not-uncertain"),
    ):
        with pytest.raises(ServiceError) as refusal:
            settled(account, record, settlement)
        assert refusal.value.code == code
    assert office.subjects(account) == ["Faktura"]


def test_a_failed_message_can_be_tried_again(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.reply_next("content", "550 5.6.11 Invalid characters")
    office.drain(account)
    assert office.record(record).status is MessageStatus.FAILED

    settled(account, record, settle.retry_at(office.clock()))
    office.drain(account)

    after = office.record(record)
    assert after.status is MessageStatus.SENT
    assert [one.outcome for one in after.attempts] == ["failed", "sent"]
    assert after.message_id == record.message_id


def test_a_waiting_message_can_be_tried_now(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.reply_next("greeting", "421 4.3.2 Service not available")
    office.drain(account)

    settled(account, record, settle.retry_at(office.clock()))
    wiring.leases().rouse(account.id, office.clock())
    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT


def test_an_uncertain_message_counts_as_sent_when_its_sender_says_so(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.drop_at("content-end-after-store")
    office.drain(account)
    assert office.record(record).status is MessageStatus.UNCERTAIN

    settled(account, record, settle.resolve("sent", office.clock()))
    office.clock.turn(minutes=5)
    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT
    assert office.subjects(account) == ["Faktura"]


@pytest.mark.parametrize(
    ("stage", "copies"), [("content-end-before-store", 1), ("content-end-after-store", 2)]
)
def test_on_uncertain_resend_sends_again_by_itself_in_its_place(
    office: PostOffice, stage: str, copies: int
) -> None:
    account = office.open_account()
    record = office.post(account, "nr 0", on_uncertain="resend")
    office.post(account, "nr 1")
    office.stack.exchange.drop_at(stage)
    office.drain(account)
    assert office.record(record).status is MessageStatus.QUEUED

    office.clock.turn(minutes=1)
    office.drain(account)

    after = office.record(record)
    assert after.status is MessageStatus.SENT
    assert [one.outcome for one in after.attempts] == ["uncertain", "sent"]
    assert office.subjects(account) == ["nr 0"] * copies + ["nr 1"]
    assert len({one.message_id for one in office.stack.exchange.delivered}) == 2


def test_expires_at_ends_the_trying(office: PostOffice) -> None:
    account = office.open_account()
    end = office.clock() + timedelta(minutes=30)
    record = office.post(account, expires_at=end.isoformat())
    office.stack.exchange.be_unavailable()
    for _ in range(12):
        office.drain(account)
        office.clock.turn(minutes=3)

    after = office.record(record)
    assert after.status is MessageStatus.FAILED
    assert after.trouble is not None
    assert after.trouble.code == "message-expired"
    assert office.subjects(account) == []
    assert wiring.messages().waiting(account.id) == 0


def test_retries_come_further_and_further_apart_for_two_days(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.be_unavailable()
    begin = office.clock()
    waits = []
    while office.record(record).status is MessageStatus.QUEUED:
        office.drain(account)
        wait = office.woken[-1][1] - office.clock()
        waits.append(round(wait.total_seconds()))
        office.clock.turn(seconds=wait.total_seconds() + 1)

    assert waits[:9] == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert set(waits[9:-1]) == {1800}
    assert timedelta(hours=47) < office.clock() - begin < timedelta(hours=49)
    assert office.record(record).status is MessageStatus.FAILED


def test_twins_under_one_key_are_one_message(office: PostOffice) -> None:
    account = office.open_account()
    key = Key("a" * 64, "f" * 64)
    found: list[Record] = []

    def post() -> None:
        found.append(office.post(account, key=key))

    twins = [threading.Thread(target=post) for _ in range(6)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    office.drain(account)

    assert len(found) == 6
    assert len({one.id for one in found}) == 1
    assert office.subjects(account) == ["Faktura"]
    assert len(wiring.messages().records(account.id, after="", limit=10)) == 1


def test_a_key_with_another_body_is_refused_and_free_again_after_a_day(
    office: PostOffice,
) -> None:
    account = office.open_account()
    first = office.accept(account, "Faktura", key=Key("a" * 64, "f" * 64))
    again = office.accept(account, "Faktura", key=Key("a" * 64, "f" * 64))
    assert (again.record.id, again.replayed) == (first.record.id, True)

    with pytest.raises(ServiceError) as refusal:
        office.accept(account, "Purring", key=Key("a" * 64, "e" * 64))
    assert refusal.value.code == "idempotency-key-reused"

    office.clock.turn(hours=24, seconds=1)
    later = office.accept(account, "Purring", key=Key("a" * 64, "e" * 64))
    assert (later.record.id != first.record.id, later.replayed) == (True, False)
