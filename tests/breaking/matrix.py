"""The crash matrix: every step of accepting and of draining, each of them some host's last."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial

from local.azurite import Azurite
from tests.breaking import crash, duel
from tests.breaking.crash import ACCEPT, DRAIN, LARGE, RESEND, TWICE, WAIT, Outcome, Story
from tests.breaking.journey import Step
from tests.breaking.world import ABANDONED, World

STORAGE_ACCOUNTS = 320
STARTED_WITHIN = 6
AT_ONCE = 32
"""How many worlds there are at the same time: each has its servers and an idle host."""
KILLING_AT_ONCE = 2
BEFORE_THE_DIALOGUE = ("issuer", "identity", "entra", "key_vault", "smtp")
STORIES = (DRAIN, RESEND, TWICE, WAIT, LARGE, ACCEPT)
"""The longest first: a dead holder's lease has to run out."""
LEAVING_WORD = ("commit wanted", "wakeups send")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix."""

    story: Story
    step: Step


def account_names(count: int = STORAGE_ACCOUNTS) -> list[str]:
    """Names of storage accounts: a fresh one for every world."""
    return [f"world{n:03d}" for n in range(count)]


def rows_of(story: Story, steps: Iterable[Step]) -> list[Row]:
    """Return the rows of *story*: its *steps*, without those that another story has already."""
    chosen: Iterable[Step] = (
        step for step in steps if not step.name.startswith("queue wakeups take")
    )
    if story is WAIT:
        chosen = _from(chosen, "queue wakeups send")
        chosen = (s for s in chosen if not s.name.startswith(BEFORE_THE_DIALOGUE))
    if story is LARGE:
        chosen = (step for step in chosen if step.name.startswith("blob"))
    if story is TWICE:
        chosen = (step for step in chosen if step.name.endswith(LEAVING_WORD))
    if story is RESEND:
        chosen = (step for step in chosen if step.nth == 1 and crash.in_dialogue(story, step))
    rows = [Row(story, step) for step in chosen]
    if story is DRAIN:
        rows.insert(0, Row(story, Step("queue wakeups take", "after")))
    return rows


def _from(steps: Iterable[Step], name: str) -> Iterator[Step]:
    begun = False
    for step in steps:
        begun = begun or step.name == name
        if begun:
            yield step


class Matrix:
    """Runs rows, few crashes and many recoveries at once, each in a world of its own."""

    def __init__(self, azurite: Azurite, names: Iterable[str]) -> None:
        self._azurite = azurite
        self._names = iter(names)
        self._lock = threading.Lock()
        self._worlds: list[World] = []
        self._room = threading.Semaphore(AT_ONCE)
        self._killing = threading.Semaphore(KILLING_AT_ONCE)

    def world(self) -> World:
        """A new world."""
        with self._lock:
            name = next(self._names)
        world = World(self._azurite, name)
        self._worlds.append(world)
        return world

    def abandon(self) -> None:
        """Start no more hosts, and end every one, those too that are just being started."""
        ABANDONED.set()
        end = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < end:
            for world in list(self._worlds):
                world.abandon()
            time.sleep(0.1)

    def rehearse(self, stories: Sequence[Story] = STORIES) -> list[Row]:
        """Play every story once and return all rows."""

        def play(story: Story) -> list[Row]:
            with self.world() as world:
                return rows_of(story, crash.rehearse(world, story))

        with ThreadPoolExecutor(KILLING_AT_ONCE) as threads:
            return [row for rows in threads.map(play, stories) for row in rows]

    def run(
        self, plays: Sequence[Callable[[], Outcome]], told: Callable[[int, Outcome], None]
    ) -> list[Outcome]:
        """Run *plays*, telling each outcome as it comes; return them in their order."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            futures: list[Future[Outcome]] = [threads.submit(play) for play in plays]
            for count, future in enumerate(as_completed(futures), start=1):
                told(count, future.result())
        return [future.result() for future in futures]

    def row(self, row: Row) -> Outcome:
        """Run one row."""

        def play(world: World) -> Outcome:
            with self._killing:
                answer, reached = crash.kill_at(world, row.story, row.step)
            outcome = crash.recover(world, row.story, row.step, answer)
            if not reached:
                outcome.faults.append("the step was not reached")
            return outcome

        return self.play(play, row.story.name, str(row.step))

    def play(self, play: Callable[[World], Outcome], story: str, step: str) -> Outcome:
        """Run *play* in a world of its own; one that breaks is a bad row, not the end."""
        with self._room:
            try:
                with self.world() as world:
                    return play(world)
            except Exception as error:  # noqa: BLE001 - any row may be broken by anything
                return Outcome(story, step, faults=[repr(error)[:300]])

    def duels(self) -> list[Callable[[], Outcome]]:
        """Return everything that two hosts do to each other, to be run."""
        together = [partial(duel.woken_together, wakeups=count) for count in (8, 24)]
        plays: list[tuple[Callable[[World], Outcome], str]] = [
            *((partial(duel.paused, pause=pause), str(pause)) for pause in duel.PAUSES),
            *((partial(duel.paused_alone, pause=pause), str(pause)) for pause in duel.ALONE),
            *((partial(duel.killed_beside, step=step), str(step)) for step in duel.KILLS),
            *((play, "woken together") for play in together),
        ]
        return [partial(self.play, play, "two hosts", step) for play, step in plays]
