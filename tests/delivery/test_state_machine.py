"""No sequence of calls, replies, clock steps and crashes reaches a state that nobody named."""

import contextlib
import secrets

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from local.standins import Stack
from shared import wiring
from shared.accounts.account import Account, AccountStatus
from shared.delivery.drain import drain
from shared.errors import ServiceError
from shared.messages import settle
from shared.messages.record import FINAL, MessageStatus, Record
from tests.delivery.crashing import DiedError, MortalTable
from tests.delivery.post_office import PostOffice

REPLIES = [
    "451 4.3.2 Temporary server error",
    "432 4.3.2 Concurrent connections limit exceeded",
    "550 5.6.11 Invalid characters",
    "554 5.2.252 SendAsDenied; a not allowed to send as b",
    "421 4.3.2 Service not available",
]
DROPS = ["connect", "auth", "mail", "rcpt", "data", "content-end-before-store"]
PAIR = ["ola@kunde.no", "siri@kunde.no"]
LOST = ["content-end-after-store"]
ENDS = {MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.CANCELLED}


class Mailbox(RuleBasedStateMachine):
    """One mailbox, whatever may happen to it, and what must hold all the time."""

    stack: Stack

    def __init__(self) -> None:
        super().__init__()
        self.stack.reset()
        self.office = PostOffice(self.stack, f"firma-{secrets.token_hex(4)}")
        self.account: Account = self.office.open_account()
        self.records: list[Record] = []
        self.resent: set[str] = set()

    def now(self, record: Record) -> Record:
        return self.office.record(record)

    @rule(uncertain=st.sampled_from(["hold", "resend"]))
    def post(self, uncertain: str) -> None:
        subject = f"nr {len(self.records)}"
        record = self.office.post(self.account, subject, to=PAIR, on_uncertain=uncertain)
        self.records.append(record)
        if uncertain == "resend":
            self.resent.add(subject)

    @rule()
    def drain(self) -> None:
        self.office.drain(self.account)

    @rule(fatal=st.integers(1, 12), moment=st.sampled_from(["before", "after"]))
    def die_while_draining(self, fatal: int, moment: str) -> None:
        table = MortalTable(wiring._table("mailboxes"), fatal, moment)
        with contextlib.suppress(DiedError):
            drain(self.office.crew_at(table), self.account.id)

    @rule(minutes=st.sampled_from([0.1, 1, 2, 10, 400]))
    def turn_the_clock(self, minutes: float) -> None:
        self.office.clock.turn(minutes=minutes)

    @rule(reply=st.sampled_from(REPLIES), stage=st.sampled_from(["mail", "content"]))
    def refuse_next(self, reply: str, stage: str) -> None:
        self.stack.exchange.reply_next(stage, reply)

    @rule()
    def refuse_a_recipient_for_now(self) -> None:
        self.stack.exchange.reply_next("rcpt", "452 4.5.3 Too many recipients")

    @rule(stage=st.sampled_from(DROPS + LOST))
    def drop_next(self, stage: str) -> None:
        self.stack.exchange.drop_at(stage)

    @rule()
    def revoke(self) -> None:
        self.stack.entra.revoke_sessions(self.account.username)
        wiring.access_tokens().forget(self.account.id)

    @rule()
    def reconnect(self) -> None:
        self.stack.exchange.restore()
        self.account = self.office.connect(self.office.account(self.account))

    @precondition(lambda self: self.records)
    @rule(
        data=st.data(),
        word=st.sampled_from(["cancel", "retry", "resolve-sent", "resolve-resend"]),
    )
    def settle(self, data: st.DataObject, word: str) -> None:
        record = data.draw(st.sampled_from(self.records))
        moment = self.office.clock()
        settlements = {
            "cancel": settle.cancel,
            "retry": settle.retry_at(moment),
            "resolve-sent": settle.resolve("sent", moment),
            "resolve-resend": settle.resolve("resend", moment),
        }
        before = self.now(record)
        try:
            after = wiring.messages().settle(self.account.id, record.id, settlements[word])
        except ServiceError as error:
            if error.code not in ("not-cancellable", "not-retryable", "not-uncertain"):
                raise
            return
        assert after is not None
        if word == "resolve-resend" and before.status is MessageStatus.UNCERTAIN:
            self.resent.add(record.subject)
        if word in ("retry", "resolve-resend"):
            wiring.leases().rouse(self.account.id, moment)

    @invariant()
    def nothing_is_sent_twice_unasked(self) -> None:
        sent = self.office.copies(self.account)
        assert not {one[0] for one in sent if sent.count(one) > 1} - self.resent

    @invariant()
    def what_is_sent_was_delivered(self) -> None:
        sent = set(self.office.copies(self.account))
        for record in map(self.now, self.records):
            refused = {address for address, _ in record.refused}
            resolved = record.attempts and record.attempts[-1].outcome == "uncertain"
            if record.status is MessageStatus.SENT and not resolved:
                assert {(record.subject, to) for to in PAIR if to not in refused} <= sent
            if record.status is MessageStatus.CANCELLED and not record.attempts:
                assert not {(record.subject, to) for to in PAIR} & sent

    @invariant()
    def what_waits_is_in_the_outbox_and_nothing_else_is(self) -> None:
        waiting = {
            one.id
            for one in map(self.now, self.records)
            if one.status in (MessageStatus.QUEUED, MessageStatus.SENDING)
        }
        entries = wiring.messages().outbox(self.account.id, 1000)
        # A dead drain's unwritten results are still in the outbox, marked as started.
        assert {one.message for one in entries} == waiting

    def teardown(self) -> None:
        """With the faults gone and time, everything comes to an end."""
        self.stack.exchange.restore()
        self.account = self.office.connect(self.office.account(self.account))
        for _ in range(12):
            self.office.clock.turn(hours=7)
            self.account = self.office.account(self.account)
            if self.account.status is not AccountStatus.CONNECTED:
                self.account = self.office.connect(self.account)
            self.office.drain(self.account)
        assert {self.now(one).status for one in self.records} <= FINAL
        assert wiring.messages().waiting(self.account.id) == 0
        self.nothing_is_sent_twice_unasked()
        self.what_is_sent_was_delivered()


@pytest.fixture
def machine(_settled: None, standins: Stack) -> type[Mailbox]:
    Mailbox.stack = standins
    return Mailbox


def test_a_mailbox_only_reaches_states_that_the_design_names(machine: type[Mailbox]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        ),
    )
