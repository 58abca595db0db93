"""Two hosts at one mailbox: woken together, one paused past its lease, one killed meanwhile.

Whoever lost the lease must write nothing any more, and nothing may be delivered twice or lost.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.host.process import HostProcess
from tests.breaking.crash import (
    REACHED_WITHIN,
    RECOVERED_WITHIN,
    Outcome,
    broken_promises,
    until,
)
from tests.breaking.journey import Journey, Step, unwatch
from tests.breaking.storage_calls import Call
from tests.breaking.storage_front import Fault, Moment, StorageFront, Watcher
from tests.breaking.world import World

MESSAGES = 3
LEASE_OVER = 62.0
"""Seconds after which a lease that was not renewed is over for its holder."""
QUIET = 5.0
"""Seconds in which a host that goes on again has done what it still would."""
CHAINED = "table mailboxes commit lease+message+outbox+account+content+outbox+message"
LAST = "table mailboxes commit lease-back+message+outbox+account+content"
LAST_WANTED = "table mailboxes commit lease+message+outbox+account+content"
BEGIN = "table mailboxes commit lease+outbox+message"
TAKE = "table mailboxes commit lease"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of the holder at *step*.

    *held*: the call is held too and arrives only when the holder goes on. *cut*: its connection is
    gone by then. *uncertain*: whether a message may end so.
    """

    step: Step
    held: bool = False
    cut: bool = False
    uncertain: bool = True

    def __str__(self) -> str:
        how = ", which comes late" if self.held else ", cut" if self.cut else ""
        return f"{self.step}{how}"


PAUSES = (
    Pause(Step(TAKE, "after"), uncertain=False),
    Pause(Step("table mailboxes query outbox", "after"), uncertain=False),
    Pause(Step("smtp auth", "before"), uncertain=False),
    Pause(Step(BEGIN, "before"), held=True, uncertain=False),
    Pause(Step(BEGIN, "after")),
    Pause(Step("smtp mail", "before")),
    Pause(Step("smtp data", "before")),
    Pause(Step("smtp content-half", "before")),
    Pause(Step("smtp content-end-before-store", "before")),
    Pause(Step("smtp content-end-before-store", "before"), cut=True),
    Pause(Step("smtp content-end-after-store", "after")),
    Pause(Step("smtp content-end-after-store", "after"), cut=True),
    Pause(Step("smtp data", "before", 2)),
    Pause(Step(CHAINED, "before"), held=True),
    Pause(Step(CHAINED, "after")),
    Pause(Step("smtp content-end-after-store", "after", 2)),
    Pause(Step(LAST, "before"), held=True),
    Pause(Step(LAST, "after"), uncertain=False),
)

ALONE = (
    Pause(Step(TAKE, "after"), uncertain=False),
    Pause(Step(BEGIN, "after")),
    Pause(Step("smtp content-half", "before"), uncertain=False),
    Pause(Step(CHAINED, "before"), held=True),
)
"""Pauses of the only host: what had not begun is sent, and what had begun may be uncertain."""

KILLS = (
    Step(TAKE, "after"),
    Step(BEGIN, "before"),
    Step(BEGIN, "after"),
    Step(CHAINED, "before"),
    Step(CHAINED, "after"),
    Step(LAST_WANTED, "before"),
    Step(LAST_WANTED, "after"),
    Step("table mailboxes commit lease-back", "before"),
    Step("table mailboxes commit lease-back", "after"),
    Step("table mailboxes commit wanted", "before"),
    Step("table mailboxes commit wanted", "after"),
)


class Stop:
    """Stops one host with SIGSTOP, and holds what it sent until it goes on."""

    def __init__(self, pause: Pause) -> None:
        self.host: HostProcess | None = None
        self._pause = pause
        self._going_on = threading.Event()
        self.struck = threading.Event()

    def strike(self) -> bool:
        until(lambda: self.host is not None, REACHED_WITHIN)
        self._signal(signal.SIGSTOP)
        self.struck.set()
        if self._pause.held:
            self._going_on.wait(RECOVERED_WITHIN)
        return self._pause.cut

    def go_on(self) -> None:
        self._going_on.set()
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.host and self.host.process.poll() is None:
            os.kill(self.host.process.pid, number)


@contextmanager
def holder_paused(world: World, pause: Pause, outcome: Outcome) -> Iterator[StorageFront]:
    """Have a host begin to drain and pause; it goes on when the block is over."""
    stop, front = Stop(pause), world.front()
    world.post(MESSAGES)
    world.wake()
    Journey(pause.step, stop.strike).watch(front, world.stack)
    try:
        stop.host = world.start(front)
        if not stop.struck.wait(REACHED_WITHIN):
            outcome.faults.append("the step was not reached")
        begun = time.monotonic()
        unwatch(world.stack)
        yield front
        time.sleep(max(0, LEASE_OVER + begun - time.monotonic()))
        outcome.seconds = time.monotonic() - begun
    finally:
        stop.go_on()


def paused(world: World, pause: Pause) -> Outcome:
    """Pause the holder until another host has done all there is to do; then let it go on."""
    outcome = Outcome("holder paused", str(pause))
    with holder_paused(world, pause, outcome) as front:
        world.start(world.front())
        await_end(world, outcome)
        known = [record.status for record in world.look().records]
        written = len(front.calls)
    time.sleep(QUIET)
    late = front.calls[written:]
    if pause.held:
        late += [call for call in front.calls[:written] if call.step == pause.step.name][-1:]
    wrote = {call.step for call in late if "commit" in call.step and call.status < 400}
    outcome.faults += [f"the stale holder wrote: {step}" for step in wrote]
    judge(world, outcome, may_be_uncertain=pause.uncertain)
    if [record.status for record in world.look().records] != known:
        outcome.faults.append("a record changed after the holder went on")
    return outcome


def paused_alone(world: World, pause: Pause) -> Outcome:
    """Pause the only host for longer than its lease; nobody took it, so it may go on."""
    outcome = Outcome("paused alone", str(pause))
    with holder_paused(world, pause, outcome):
        pass
    await_end(world, outcome)
    judge(world, outcome, may_be_uncertain=pause.uncertain)
    return outcome


def killed_beside(world: World, step: Step) -> Outcome:
    """Kill whichever of two hosts comes to *step* first, while both are at it."""
    outcome = Outcome("killed beside", str(step))
    hosts: dict[str, HostProcess] = {}
    struck = threading.Event()

    def strike(name: str) -> Callable[[], bool]:
        def kill() -> bool:
            if struck.is_set():
                return False  # the other was quicker
            struck.set()
            hosts[name].process.kill()
            hosts[name].process.wait()
            return True

        return kill

    for name in ("a", "b"):
        front: StorageFront = world.front()
        front.watch = Journey(step, strike(name)).storage
        hosts[name] = world.start(front)
    begun = time.monotonic()
    world.post(MESSAGES)
    world.wake(times=4)
    if not struck.wait(REACHED_WITHIN):
        outcome.faults.append("the step was not reached")
    await_end(world, outcome)
    outcome.seconds = time.monotonic() - begun
    judge(world, outcome, may_be_uncertain="message" in step.name)
    return outcome


def woken_together(world: World, wakeups: int) -> Outcome:
    """Let two hosts follow the same wake-up, queued over and over while the first is at it."""
    outcome = Outcome("woken together", f"{wakeups} wake-ups, two hosts")
    fronts = [world.front(), world.front()]
    for front, other in (fronts, fronts[::-1]):
        front.watch = after_you(front, other)
        world.start(front)
    world.stack.exchange.delay("content", 2)
    begun = time.monotonic()
    world.post(MESSAGES)
    for _ in range(wakeups):
        world.wake()
        time.sleep(5 / wakeups)
    await_end(world, outcome)
    outcome.seconds = time.monotonic() - begun
    until(lambda: world.look().wakeups == 0, REACHED_WITHIN)
    if not all(front.counts("host")["queue wakeups delete"] for front in fronts):
        outcome.faults.append("one host took no wake-up")
    judge(world, outcome, may_be_uncertain=False)
    return outcome


def after_you(front: StorageFront, other: StorageFront) -> Watcher:
    """Let a host that had a wake-up take no more until the *other* has had one too."""

    def watch(call: Call, moment: Moment) -> Fault | None:
        if call.step != "queue wakeups take" or moment is not Moment.BEFORE:
            return None
        had, others = (one.counts("host")["queue wakeups delete"] for one in (front, other))
        return Fault.BUSY if had and not others else None

    return watch


def await_end(world: World, outcome: Outcome) -> None:
    """Wait until nothing waits in the outbox."""
    if not until(world.is_still, RECOVERED_WITHIN):
        outcome.faults.append(f"not over after {RECOVERED_WITHIN:g} s")


def judge(world: World, outcome: Outcome, *, may_be_uncertain: bool) -> None:
    """Put into *outcome* what there is to see, and what does not hold."""
    sight = world.look()
    outcome.statuses = [record.status.value for record in sight.records]
    outcome.deliveries = sight.delivered
    outcome.faults += broken_promises(sight, MESSAGES, may_be_uncertain=may_be_uncertain)
