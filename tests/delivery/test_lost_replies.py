"""A reply of the store that was lost: its client asks again, and what was done stays done once."""

import threading
from collections.abc import Callable, Sequence

import pytest

from shared import wiring
from shared.delivery.drain import drain
from shared.messages import settle
from shared.messages.record import MessageStatus
from shared.store.messages import Messages
from shared.store.rows import Entity
from shared.store.table import Table, Write
from tests.delivery.crashing import DiedError, MortalTable
from tests.delivery.post_office import PostOffice

MESSAGES = 3


class Stuttering:
    """A table whose *which*-th transaction is sent twice, as after a lost reply."""

    def __init__(self, table: Table, which: int) -> None:
        self.table = table
        self.which = which
        self.commits = 0
        self._lock = threading.Lock()

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        return self.table.get(partition, row)

    def range(
        self,
        partition: str,
        lower: str,
        upper: str,
        *,
        limit: int | None = None,
        select: Sequence[str] | None = None,
    ) -> list[Entity]:
        return self.table.range(partition, lower, upper, limit=limit, select=select)

    def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        with self._lock:
            self.commits += 1
            again = self.commits == self.which
        if again:
            self.table.commit(partition, writes)
        return self.table.commit(partition, writes)


def test_any_transaction_of_a_drain_may_be_sent_twice(office: PostOffice) -> None:
    rows = []
    for which in range(1, MESSAGES + 3):
        account = office.open_account()
        records = [office.post(account, f"nr {n}") for n in range(MESSAGES)]
        table = Stuttering(wiring._table("mailboxes"), which)

        drain(office.crew_at(table), account.id)  # type: ignore[arg-type]

        assert {office.record(one).status for one in records} == {MessageStatus.SENT}, which
        assert office.subjects(account) == [f"nr {n}" for n in range(MESSAGES)], which
        assert wiring.messages().waiting(account.id) == 0
        assert table.commits == MESSAGES + 2, which
        rows.append(which)
    assert len(rows) == MESSAGES + 2


SETTLEMENTS: list[tuple[str, Callable[[PostOffice], settle.Settlement], MessageStatus]] = [
    ("", lambda _: settle.cancel, MessageStatus.CANCELLED),
    ("550 5.6.11 Invalid", lambda at: settle.retry_at(at.clock()), MessageStatus.QUEUED),
    ("lost", lambda at: settle.resolve("resend", at.clock()), MessageStatus.QUEUED),
    ("lost", lambda at: settle.resolve("sent", at.clock()), MessageStatus.SENT),
]


@pytest.mark.parametrize(("fault", "word", "status"), SETTLEMENTS)
def test_a_callers_word_may_be_written_twice(
    office: PostOffice,
    fault: str,
    word: Callable[[PostOffice], settle.Settlement],
    status: MessageStatus,
) -> None:
    account = office.open_account()
    record = office.post(account)
    if fault == "lost":
        office.stack.exchange.drop_at("content-end-before-store")
    elif fault:
        office.stack.exchange.reply_next("content", fault)
    if fault:
        office.drain(account)
    table = Stuttering(wiring._table("mailboxes"), 1)

    messages = Messages(table, wiring.contents)  # type: ignore[arg-type]
    after = messages.settle(account.id, record.id, word(office))

    assert after is not None
    assert after.status is status
    assert office.record(record).status is status
    assert wiring.messages().waiting(account.id) == (status is MessageStatus.QUEUED)


def test_what_a_dead_drain_left_is_sent_again_before_those_behind_it(office: PostOffice) -> None:
    rehearsal, account = office.open_account(), office.open_account()
    for one in (rehearsal, account):
        first = office.post(one, "nr 0", on_uncertain="resend")
        office.post(one, "nr 1")
    steps = MortalTable(wiring._table("mailboxes"), 1_000, "after")
    drain(office.crew_at(steps), rehearsal.id)
    beginning = next(n for n, one in enumerate(steps.calls, 1) if "merge outbox" in one)

    table = MortalTable(wiring._table("mailboxes"), beginning, "after")
    with pytest.raises(DiedError):
        drain(office.crew_at(table), account.id)
    assert office.record(first).status is MessageStatus.SENDING
    office.clock.turn(minutes=2)
    office.drain(account)

    assert office.subjects(account) == ["nr 0", "nr 1"]
    assert [one.outcome for one in office.record(first).attempts] == ["uncertain", "sent"]
