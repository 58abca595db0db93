"""The fault table of Entra: each class of error, and what becomes of message and account."""

from datetime import timedelta

import pytest

from shared import wiring
from shared.accounts.account import AccountStatus
from shared.guidance import Disposition
from shared.messages.record import MessageStatus
from tests.delivery.post_office import PostOffice
from tests.delivery.test_fault_table import EXPECTED
from tests.guidance.test_token_errors import ERRORS, NUMBERS, SUBERRORS

type Row = tuple[str, int, str | None, Disposition, bool]

CLASSES = {
    (error, does, again): (error, numbers[0], None, does, again)
    for error, numbers, does, again, _ in NUMBERS
}
"""Numbers choose words only, so one of each class stands for all of it."""
ROWS: list[Row] = [
    *CLASSES.values(),
    ("invalid_grant", 50196, None, Disposition.RETRY, False),
    ("temporarily_unavailable", 90055, None, Disposition.RETRY, False),
    *((error, 0, suberror, does, again) for error, suberror, does, again, _ in SUBERRORS),
    *((error, 0, None, does, False) for error, does, _ in ERRORS if does is not Disposition.HOLD),
]
PAUSES = {50196: timedelta(minutes=10), 90055: timedelta(minutes=5)}
"""Asked the same too often; a tenant that is throttled."""
HELD = (Disposition.HOLD, Disposition.REFRESH)


def named(row: Row) -> str:
    return "-".join(str(part) for part in row[:3] if part)


@pytest.mark.parametrize("row", dict.fromkeys(ROWS), ids=named)
def test_each_error_of_entra_has_its_consequence(office: PostOffice, row: Row) -> None:
    error, number, suberror, disposition, recheck = row
    status, outcome, standing, wait = EXPECTED[disposition]
    account = office.open_account()
    record = office.post(account)
    wiring.access_tokens().forget(account.id)
    office.stack.entra.refuse_next(error, number, suberror, times=2)

    office.drain(account)

    after = office.record(record)
    assert after.status is status
    assert [(one.outcome, one.phase) for one in after.attempts] == [(outcome, "token")]
    assert office.account(account).status is standing
    assert wiring.vault().get_refresh_token(account.id) is not None
    if disposition in HELD and not recheck:
        wait = timedelta(hours=6)
    wait = PAUSES.get(number, wait)
    assert wait is not None
    assert wait - timedelta(seconds=2) < office.woken[-1][1] - office.clock() <= wait

    office.stack.entra.restore()
    if disposition in HELD and not recheck:
        office.connect(office.account(account))
    office.clock.turn(seconds=wait.total_seconds() + 1)
    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT
    assert office.account(account).status is AccountStatus.CONNECTED


def test_a_refresh_token_refused_in_passing_is_tried_once_more(office: PostOffice) -> None:
    account = office.open_account()
    record = office.post(account)
    wiring.access_tokens().forget(account.id)
    office.stack.entra.refuse_next("invalid_grant", 70000)

    office.drain(account)

    assert office.record(record).status is MessageStatus.SENT


@pytest.mark.parametrize("asked", [90, 5_000])
def test_entra_says_when_to_come_back(office: PostOffice, asked: int) -> None:
    account = office.open_account()
    office.post(account)
    wiring.access_tokens().forget(account.id)
    office.stack.entra.throttle(seconds=asked)

    office.drain(account)

    wait = timedelta(seconds=min(asked, 3600))
    assert wait - timedelta(seconds=2) < office.woken[-1][1] - office.clock() <= wait


@pytest.mark.parametrize("kind", ["unavailable", "error", "dropped"])
def test_entra_out_of_order_is_asked_again(office: PostOffice, kind: str) -> None:
    account = office.open_account()
    record = office.post(account)
    wiring.access_tokens().forget(account.id)
    office.stack.entra.fail_next(0, kind, "token")

    office.drain(account)

    assert [one.outcome for one in office.record(record).attempts] == ["deferred"]
    assert office.account(account).status is AccountStatus.CONNECTED
    office.stack.entra.restore()
    office.clock.turn(minutes=1)
    office.drain(account)
    assert office.record(record).status is MessageStatus.SENT
