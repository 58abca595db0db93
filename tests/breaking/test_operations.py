"""What a message costs at Azure Storage, counted on the wire of a real host."""

from datetime import UTC, datetime, timedelta

from tests.breaking.crash import until
from tests.breaking.duel import BEGIN, CHAINED, LAST
from tests.breaking.matrix import Matrix
from tests.breaking.world import letter

MESSAGES = 12


def test_accepting_is_one_transaction_and_one_wake_up_and_a_drain_one_transaction_a_message(
    matrix: Matrix,
) -> None:
    with matrix.world() as world:
        front = world.front()
        host = world.start(front)
        path = f"/accounts/{world.account.id}/messages"
        api = world.api(host)
        soon = datetime.now(UTC) + timedelta(hours=1)
        api.post(path, letter(0, send_at=soon.isoformat()))  # the first makes tables and queue
        front.forget()

        answer = api.post(path, letter(1, send_at=soon.isoformat()))

        assert answer.status == 202
        assert front.steps() == [
            "table mailboxes get account",
            "table mailboxes commit account+message+outbox+content",
            "queue wakeups send",
        ]

        world.post(MESSAGES)
        front.forget()
        world.wake()
        assert until(lambda: len(world.stack.exchange.delivered) == MESSAGES, 30)
        assert until(lambda: any("lease-back" in step for step in front.steps()), 30)

        commits = [step for step in front.steps() if " commit " in step]
        carrying = [step for step in commits if "message" in step]
        assert carrying == [BEGIN, *[CHAINED] * (MESSAGES - 1), LAST]
        assert len(commits) == MESSAGES + 2  # taking the lease, and the last one's beginning
