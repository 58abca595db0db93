"""The fault table: every refusal of Exchange and Entra, and what becomes of the message."""

from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import AccountStatus
from shared.guidance import Disposition
from shared.messages.record import MessageStatus
from tests.delivery.post_office import PostOffice
from tests.guidance.test_replies import REPLIES, Case

STAGES = {"connect": "greeting"}
QUEUED, FAILED, SENT = MessageStatus.QUEUED, MessageStatus.FAILED, MessageStatus.SENT
CONNECTED, NEEDED = AccountStatus.CONNECTED, AccountStatus.ACTION_REQUIRED

# disposition: message, its attempt, account, longest wait until the next try
EXPECTED = {
    Disposition.RETRY: (QUEUED, "deferred", CONNECTED, timedelta(seconds=5)),
    Disposition.OUTAGE: (QUEUED, "deferred", CONNECTED, timedelta(seconds=5)),
    Disposition.FAIL: (FAILED, "failed", CONNECTED, None),
    Disposition.HOLD: (QUEUED, "held", NEEDED, timedelta(minutes=5)),
    Disposition.REFRESH: (QUEUED, "held", NEEDED, timedelta(minutes=5)),
    Disposition.PACE_MAILBOX: (QUEUED, "paced", CONNECTED, timedelta(hours=1)),
    Disposition.PACE_TENANT: (QUEUED, "paced", CONNECTED, timedelta(hours=1)),
}


def named(case: Case) -> str:
    stage, code, enhanced, text = case[:4]
    return f"{stage} {code} {enhanced} {text[-40:]}"


@pytest.mark.parametrize("case", REPLIES, ids=named)
def test_each_reply_of_exchange_has_its_consequence(office: PostOffice, case: Case) -> None:
    stage, code, enhanced, text, disposition, recheck, pause, _ = case
    status, outcome, standing, wait = EXPECTED[disposition]
    account = office.open_account()
    record = office.post(account)
    reply = " ".join(part for part in (str(code), enhanced, text) if part)
    office.stack.exchange.reply_next(STAGES.get(stage, stage), reply, times=2)

    office.drain(account)

    after = office.record(record)
    assert after.status is status
    assert [one.outcome for one in after.attempts] == [outcome]
    assert after.attempts[0].phase == stage
    assert office.account(account).status is standing
    assert office.stack.exchange.duplicates() == {}
    if wait is None:
        return
    until = office.woken[-1][1] - office.clock()
    if disposition in (Disposition.HOLD, Disposition.REFRESH) and not recheck:
        wait = timedelta(hours=6)
    if pause:
        wait = timedelta(seconds=pause)
    assert wait - timedelta(seconds=2) < until <= wait

    office.stack.exchange.restore()
    office.clock.turn(seconds=wait.total_seconds() + 1)
    office.drain(account)

    assert office.record(record).status is SENT
    assert office.account(account).status is CONNECTED
    assert len(office.subjects(account)) == 1


HOLDING = [
    "revoke_sessions",
    "expire_refresh_tokens",
    "require_mfa",
    "block_by_conditional_access",
    "revoke_consent",
    "disable_user",
]


@pytest.mark.parametrize("verb", HOLDING)
def test_a_refused_refresh_token_holds_the_mail_and_is_kept(office: PostOffice, verb: str) -> None:
    account = office.open_account()
    record = office.post(account)
    getattr(office.stack.entra, verb)(account.username)
    wiring.access_tokens().forget(account.id)

    office.drain(account)

    assert office.account(account).status is NEEDED
    after = office.record(record)
    assert after.status is QUEUED
    assert [(one.outcome, one.phase) for one in after.attempts] == [("held", "token")]
    assert wiring.vault().get_refresh_token(account.id) is not None


def test_reconnecting_lets_held_mail_leave_in_order(office: PostOffice) -> None:
    account = office.open_account()
    office.stack.entra.revoke_sessions(account.username)
    wiring.access_tokens().forget(account.id)
    for n in range(3):
        office.post(account, f"nr {n}")
    office.drain(account)
    assert office.account(account).status is NEEDED

    office.connect(office.account(account))
    office.drain(account)

    assert office.account(account).status is CONNECTED
    assert office.subjects(account) == ["nr 0", "nr 1", "nr 2"]


@pytest.mark.parametrize("number", [7000222, 7000215, 700213, 700211])
def test_our_own_credential_failing_is_our_outage(office: PostOffice, number: int) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.entra.break_client_credential(number)
    wiring.access_tokens().forget(account.id)

    office.drain(account)

    assert office.account(account).status is CONNECTED
    assert office.record(record).attempts[0].outcome == "deferred"

    office.stack.entra.restore()
    office.clock.turn(minutes=1)
    office.drain(account)
    assert office.record(record).status is SENT


@pytest.mark.parametrize("body", ["json", "html"])
def test_a_throttling_entra_is_asked_again_later(office: PostOffice, body: str) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.entra.throttle(html=body == "html")
    wiring.access_tokens().forget(account.id)

    office.drain(account)
    assert office.record(record).attempts[0].outcome == "deferred"
    assert office.account(account).status is CONNECTED

    office.clock.turn(minutes=10)
    office.drain(account)
    assert office.record(record).status is SENT


def test_an_expired_access_token_is_refreshed_once_and_the_message_leaves(
    office: PostOffice,
) -> None:
    account = office.open_account()
    record = office.post(account)
    office.stack.exchange.reply_next("auth", "535 5.7.3 Authentication unsuccessful")

    office.drain(account)

    assert office.record(record).status is SENT
    assert len(office.record(record).attempts) == 1
