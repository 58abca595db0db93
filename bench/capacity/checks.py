"""Whether the model can be believed: against closed formulas, and against a real run."""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from bench import stack
from bench.capacity.parameters import Parameters
from bench.capacity.service import COLD_ROUND_TRIPS, Mailbox, Service
from bench.capacity.simulation import Server


@dataclass(frozen=True, slots=True)
class Check:
    """What the model said beside what it should have; *tolerance* is a part of the latter."""

    what: str
    expected: float
    modelled: float
    tolerance: float

    @property
    def deviation(self) -> float:
        """The model's error as a part of what was expected."""
        return self.modelled / self.expected - 1

    @property
    def holds(self) -> bool:
        """Whether the model is near enough."""
        return abs(self.deviation) <= self.tolerance

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        return (
            f"check: {self.what}: expected {self.expected:.2f}, model {self.modelled:.2f},"
            f" deviation {self.deviation:+.1%} ({verdict}, within {self.tolerance:.0%})"
        )


def by_formula(parameters: Parameters) -> list[Check]:
    """Compare runs whose outcome a formula gives."""
    return [_pacing(parameters), _one_drain(parameters), _littles_law(parameters)]


def _alone(
    parameters: Parameters,
    mailboxes: int,
    messages: int,
    instances: int,
    *,
    wakeups: int = 1,
    store_work: float | None = None,
) -> Service:
    """Deliver what waits in some mailboxes, with the instances there already.

    *store_work* puts one store of one thread in the place of Azure's, with seconds a request.
    """
    service = Service(parameters)
    if store_work is not None:
        service.store, service.store_work = Server(service.simulation), store_work
    for _ in range(instances):
        service.add_instance(service.deliver)
    for number in range(mailboxes):
        service.mailboxes[number] = Mailbox()
        service.mailboxes[number].due.extend([0.0] * messages)
        service.accepted += [(0.0, 0.0)] * messages
        service.queue.extend([number] * wakeups)
    service.simulation.run(7_200)
    return service


def _pacing(parameters: Parameters) -> Check:
    """A hundred messages in one mailbox: thirty go at once, and thirty more every 61 s."""
    limits = parameters.limits
    service = _alone(parameters, 1, 100, 1)
    moments = sorted(at for at, _ in service.sent)
    step = moments[1] - moments[0]
    rounds, rest = divmod(99, limits.messages_a_minute)
    expected = rounds * limits.pacing_window + rest * step
    return Check("a mailbox's 100 messages, s", expected, moments[-1] - moments[0], 0.05)


def _one_drain(parameters: Parameters) -> Check:
    """A drain of 20 messages is the sum of its waits where nobody else is there."""
    assumed, costs = parameters.assumptions, parameters.costs
    storage = assumed.storage_seconds * 1.1  # the model draws it from 0.7 to 1.5 of that
    before = (  # lease read, taken; account and pause, outbox; record and content of the first
        7 * storage
        + costs.wakeup_cpu
        + costs.drain_cpu
        + assumed.vault_seconds
        + assumed.token_seconds
        + costs.connect_cpu
        + (COLD_ROUND_TRIPS + 1) * assumed.smtp_round_trip
    )
    message = costs.message_cpu + storage + assumed.smtp_round_trip + assumed.exchange_seconds
    service = _alone(parameters, 1, 20, 1)
    taken = storage  # the batch from the queue
    last = max(at for at, _ in service.sent)
    return Check("a drain of 20 messages, s", taken + before + 20 * message, last, 0.05)


def _littles_law(parameters: Parameters) -> Check:
    """What waits on average is the rate of arrivals times the time each waits."""
    service = Service(parameters)
    for _ in range(4):
        service.add_instance(service.deliver)
    service.add_instance(service.http)
    rate, length = 15.0, 400.0
    at = 0.0
    while (at := at + service.random.expovariate(rate)) < length:
        service.post(service.random.randrange(100_000), 1, after=at)
    waiting: list[int] = []

    def look() -> None:
        waiting.append(len(service.accepted) - len(service.sent))
        if service.simulation.now < length:
            service.simulation.call(look, 0.5)

    service.simulation.call(look, 60)
    service.simulation.run(length)
    delays = [delay for moment, delay in service.sent if moment > 60]
    mean_delay = sum(delays) / len(delays) - parameters.assumptions.storage_seconds * 1.1
    throughput = len(delays) / (length - 60)
    mean_waiting = sum(waiting) / len(waiting)
    return Check("mail waiting by Little's law", throughput * mean_delay, mean_waiting, 0.06)


def by_a_real_run(mailboxes: int = 50, messages: int = 5) -> list[Check]:
    """Deliver from many mailboxes on the real host and Azurite, and in the model.

    The model is told what one mailbox alone cost on this machine in the same minute: CPU seconds
    of the host a message, of Azurite a request. It foretells the run with all of them at once.
    """
    with stack.running(delay=ROUND_TRIP * 1000) as running:
        ids = running.accounts(mailboxes + 1)
        _delivered(running, ids[:1], 1)  # the first delivery imports what it needs
        alone = _delivered(running, ids[:1], ALONE)
        together = _delivered(running, ids[1:], messages)
    modelled = _lasted(_here(alone, mailboxes, messages))
    what = f"{mailboxes} mailboxes x {messages} for real, s"
    return [Check(what, together.seconds, modelled, REAL_TOLERANCE)]


ROUND_TRIP = 0.02
ALONE = 25
REAL_TOLERANCE = 0.35
"""Wide: the run and Azurite share two cores with the client, and the model gives each its own."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A real delivery: *seconds* from its first 250 to its last, and what it used.

    Not from the moment the mail was due: the host may look at its queue up to 2 s later.
    """

    messages: int
    seconds: float
    host_cpu: float
    store_cpu: float


def _here(alone: Delivered, mailboxes: int, messages: int) -> Service:
    """Run the model with this machine's costs, as one mailbox alone showed them.

    On a machine that others use too, a second of CPU takes longer than a second; how much longer
    is what makes the model of the run alone last as long as that did.
    """
    low, high = 1.0, 64.0
    for _ in range(12):
        stretch = (low * high) ** 0.5
        modelled = _lasted(_on_this_machine(alone, 1, ALONE, stretch))
        low, high = (stretch, high) if modelled < alone.seconds else (low, stretch)
    return _on_this_machine(alone, mailboxes, messages, low)


def _on_this_machine(alone: Delivered, mailboxes: int, messages: int, stretch: float) -> Service:
    host_cpu = alone.host_cpu / ALONE * stretch
    parameters = Parameters.default().with_(
        smtp_round_trip=ROUND_TRIP,
        exchange_seconds=0,
        storage_seconds=0.0005,
        message_cpu=0.8 * host_cpu,
        wakeup_cpu=0.2 * host_cpu,
        drain_cpu=0,
        connect_cpu=0.003 * stretch,
    )
    asked = _alone(parameters, 1, ALONE, 1, wakeups=ALONE).tally
    work = alone.store_cpu / (asked["table"] + asked["queue"]) * stretch
    return _alone(parameters, mailboxes, messages, 1, wakeups=messages, store_work=work)


def _lasted(service: Service) -> float:
    moments = [at for at, _ in service.sent]
    return max(moments) - min(moments)


def _delivered(running: stack.Stack, ids: list[str], messages: int) -> Delivered:
    """Post mail for a moment ahead, so that accepting is over when delivering begins."""
    due = math.ceil(time.time() + 1 + len(ids) * messages * 0.1)
    body = stack.invoice() | {"send_at": datetime.fromtimestamp(due, UTC).isoformat()}
    for account in ids * messages:
        answer = running.api.post(f"/accounts/{account}/messages", body)
        if answer.status != 202:
            raise RuntimeError(answer.text)
    if time.time() > due:
        raise RuntimeError("accepting took longer than it was given")
    time.sleep(due - time.time())
    before = running.cpu()
    for account in ids:
        while running.api.get(f"/accounts/{account}").json["waiting"]:
            time.sleep(0.25)
    after = running.cpu()
    sent = [moment for account in ids for moment in _sent(running, account, messages)]
    used = {name: after[name] - before[name] for name in after}
    return Delivered(len(ids) * messages, max(sent) - min(sent), used["host"], used["Azurite"])


def _sent(running: stack.Stack, account: str, messages: int) -> list[float]:
    """Return when the newest *messages* of *account* were sent."""
    items = running.api.get(f"/accounts/{account}/messages?limit={messages}").json["items"]
    return [datetime.fromisoformat(one["sent_at"]).timestamp() for one in items]
