"""One crash: a host is killed at a step, another takes up what it left, and all is judged."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local.host.process import HostProcess
from shared.messages.record import MessageStatus, Record
from tests.breaking.journey import Journey, Step, unwatch
from tests.breaking.world import Sight, World, letter
from tests.client import Answer

REACHED_WITHIN = 40.0
RECOVERED_WITHIN = 120.0
"""Seconds; a dead holder's lease lasts up to 65 of them."""
LOOK_EVERY = 2.0
READ_AHEAD = ("table mailboxes get message", "table mailboxes get content")
DIALOGUE = ("smtp mail", "smtp rcpt", "smtp data", "smtp content")


@dataclass(frozen=True, slots=True)
class Post:
    """A message that a client posts, and repeats with the same key until it has an answer."""

    body: Mapping[str, object]
    key: str = "nøkkel".encode().hex()
    prefer: str = ""

    def send(self, world: World, host: HostProcess) -> Answer | None:
        """Post it once; None when no answer came."""
        headers = {"idempotency_key": self.key}
        if self.prefer:
            headers["prefer"] = self.prefer
        try:
            path = f"/accounts/{world.account.id}/messages"
            return world.api(host).post(path, dict(self.body), **headers)
        except (OSError, http.client.HTTPException):
            return None


@dataclass(frozen=True, slots=True)
class Story:
    """What goes on while the host is killed: *waiting* messages found, or one posted."""

    name: str
    waiting: int = 0
    wakes: int = 1
    on_uncertain: str = "hold"
    post: Post | None = None

    @property
    def messages(self) -> int:
        """How many messages there are in the end."""
        return self.waiting + (1 if self.post else 0)


ACCEPT = Story("accept", post=Post(letter(0)))
WAIT = Story("accept and wait", post=Post(letter(0), prefer="wait=20"))
LARGE = Story("accept large", post=Post(letter(0, text="x" * 1_200_000), prefer="wait=20"))
DRAIN = Story("drain", waiting=3)
RESEND = Story("drain, resend", waiting=2, on_uncertain="resend")
TWICE = Story("woken twice", waiting=3, wakes=2)


@dataclass(slots=True)
class Outcome:
    """What became of it; *faults* is empty when every promise was kept."""

    story: str
    step: str
    statuses: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return "; ".join(self.faults) or "kept"

    def __str__(self) -> str:
        statuses, deliveries = " ".join(self.statuses), ", ".join(self.deliveries) or "-"
        return (
            f"{self.story:15}  {self.step:62}  {statuses:20}  {deliveries:16}"
            f"  {self.seconds:4.0f} s  {self.verdict}"
        )


def rehearse(world: World, story: Story) -> list[Step]:
    """Play *story* to its end with nobody killed; return the steps of it, in order.

    Where something is posted that no answer waits for, its steps are those before the answer.
    """
    journey, front = Journey(), world.front()
    begin(world, story)
    journey.watch(front, world.stack)
    host = world.start(front)
    if story.post:
        answer = story.post.send(world, host)
        assert answer, "no answer"
        assert answer.status in (200, 202), answer.text
        if not story.post.prefer:
            return list(journey.steps)
    until(world.is_still, REACHED_WITHIN)
    time.sleep(1)  # the wake-up is deleted, the session kept
    return list(journey.steps)


def begin(world: World, story: Story) -> None:
    """Put in place what *story* begins with."""
    if story.waiting:
        world.post(story.waiting, story.on_uncertain)
        world.wake(story.wakes)


def kill_at(world: World, story: Story, step: Step) -> tuple[Answer | None, bool]:
    """Play *story* and kill its host at *step*; the client's answer, and whether it came there."""
    victim: list[HostProcess] = []
    begin(world, story)

    def strike() -> bool:
        until(lambda: bool(victim), REACHED_WITHIN)
        victim[0].process.kill()
        victim[0].process.wait()
        return True

    journey, front = Journey(step, strike), world.front()
    journey.watch(front, world.stack)
    victim.append(world.start(front))
    answer = story.post.send(world, victim[0]) if story.post else None
    reached = journey.reached.wait(REACHED_WITHIN)
    unwatch(world.stack)
    front.watch = None
    victim[0].kill()
    return answer, reached


def recover(world: World, story: Story, step: Step, answer: Answer | None) -> Outcome:
    """Let another host take over, the client repeat itself, and judge what is there then."""
    outcome = Outcome(story.name, str(step))
    begun = time.monotonic()
    host = world.start(world.front())
    if story.post and answer is None:
        answer = story.post.send(world, host)
        if answer is None or answer.status not in (200, 202):
            told = f"{answer.status} {answer.text[:200]}" if answer else "nothing"
            outcome.faults.append(f"the repeated request was answered {told}")
    if not until(world.is_still, RECOVERED_WITHIN):
        outcome.faults.append(f"not over after {RECOVERED_WITHIN:g} s")
    outcome.seconds = time.monotonic() - begun
    sight = world.look()
    outcome.statuses = [record.status.value for record in sight.records]
    outcome.deliveries = sight.delivered
    outcome.faults += broken_promises(
        sight, story.messages, may_be_uncertain=in_dialogue(story, step)
    )
    if answer and answer.json["id"] not in [record.id for record in sight.records]:
        outcome.faults.append("what was accepted is not there")
    return outcome


def broken_promises(sight: Sight, messages: int, *, may_be_uncertain: bool) -> list[str]:
    """Name what does not hold of what was promised."""
    faults = []
    if len(sight.records) != messages:
        faults.append(f"{len(sight.records)} records of {messages} messages")
    for record in sight.records:
        faults += _broken_of(record, sight.delivered.count(record.subject))
    uncertain = sum(record.status is MessageStatus.UNCERTAIN for record in sight.records)
    if uncertain > (1 if may_be_uncertain else 0):
        faults.append(f"{uncertain} are uncertain")
    sent = [one.subject for one in sight.records if one.status is MessageStatus.SENT]
    if not faults and [one for one in dict.fromkeys(sight.delivered) if one in sent] != sent:
        faults.append("not in order")
    if sight.waiting:
        faults.append(f"{sight.waiting} still in the outbox")
    if sight.poisoned:
        faults.append(f"{sight.poisoned} wake-ups are poisoned")
    return faults


def _broken_of(record: Record, times: int) -> list[str]:
    match record.status:
        case MessageStatus.SENT:
            kept = 1 <= times <= (2 if record.on_uncertain == "resend" else 1)
        case MessageStatus.UNCERTAIN:
            kept = times <= 1 and record.on_uncertain == "hold"
        case _:
            kept = False
    return [] if kept else [f"{record.subject} is {record.status}, delivered {times} times"]


def in_dialogue(story: Story, step: Step) -> bool:
    """Whether a message may be under way at *step*: its beginning written, its end not."""
    if step.name.startswith(DIALOGUE):
        return True
    if step.name.startswith(READ_AHEAD):
        return story.waiting > 1 and step.nth > 1
    if not step.name.startswith("table mailboxes commit lease") or "message" not in step.name:
        return False
    first, last = "account" not in step.name, "lease-back" in step.name
    return not (first and step.moment == "before") and not (last and step.moment == "after")


def until(holds: Callable[[], bool], within: float) -> bool:
    """Wait until *holds*; False when it does not *within* so many seconds."""
    end = time.monotonic() + within
    pause = 0.05
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, LOOK_EVERY)
    return True
