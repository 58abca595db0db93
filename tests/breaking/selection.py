"""The rows of the crash matrix that every run of the tests plays."""

from collections.abc import Callable
from functools import partial

from tests.breaking import duel
from tests.breaking.crash import ACCEPT, DRAIN, LARGE, TWICE, Outcome
from tests.breaking.duel import BEGIN, CHAINED, LAST, Pause
from tests.breaking.journey import Step
from tests.breaking.matrix import Matrix, Row

ACCEPTANCE = "table mailboxes commit account+message+outbox+content+key"

CRASHES = {
    "stored, no wake-up sent, no answer": Row(ACCEPT, Step(ACCEPTANCE, "after")),
    "a large content without its record": Row(LARGE, Step("blob content put", "after", 2)),
    "about to write that it begins": Row(DRAIN, Step(BEGIN, "before")),
    "written that it begins": Row(DRAIN, Step(BEGIN, "after")),
    "delivered, no reply": Row(DRAIN, Step("smtp content-end-after-store", "after")),
    "delivered, not written": Row(DRAIN, Step(CHAINED, "before")),
    "word left with the holder": Row(TWICE, Step("table mailboxes commit wanted", "after")),
}
LATE = Pause(Step(LAST, "before"), held=True)


def play(matrix: Matrix) -> dict[str, Outcome]:
    """Play them side by side, since dead holders' leases take a minute to run out."""
    plays: dict[str, Callable[[], Outcome]] = {
        name: partial(matrix.row, row) for name, row in CRASHES.items()
    }
    plays["paused"] = partial(matrix.play, partial(duel.paused, pause=LATE), "", "")
    plays["together"] = partial(matrix.play, partial(duel.woken_together, wakeups=24), "", "")
    found = matrix.run(list(plays.values()), lambda _count, _outcome: None)
    return dict(zip(plays, found, strict=True))
