"""The questions asked of the model, each answered by one simulated run."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.capacity.parameters import Parameters
from bench.capacity.service import Service


def duration(seconds: float) -> str:
    """Write a duration as a person would."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


UPKEEP_THREADS, UPKEEP_SHARE = 64, 48 / 300
"""Of a run of upkeep: threads side by side, and the part of the time each task may take."""
WORKING_SECONDS = 21 * 9 * 3600
"""In a month: the days and hours in which nearly all invoices are sent."""


@dataclass(slots=True)
class Answer:
    """A finished run. *delays* are seconds from the 202 to Exchange's 250."""

    name: str
    question: str
    service: Service
    samples: list[tuple[float, int, int, int]]
    """Moment, messages waiting, wake-ups seen, instances that deliver."""
    marks: list[tuple[float, str]] = field(default_factory=list)
    share_of_month: float = 1.0
    """How many months' messages this run stands for; its cost is divided by that."""
    remarks: list[str] = field(default_factory=list)
    warm_up: float = 0.0

    @property
    def delays(self) -> list[float]:
        """The delays of what was sent, sorted."""
        return sorted(delay for at, delay in self.service.sent if at >= self.warm_up)


def month_end(parameters: Parameters, *, mailboxes: int = 10_000, invoices: int = 20) -> Answer:
    """Everybody's billing run starts in the same minute."""
    service = Service(parameters)
    for number in range(mailboxes):
        service.post(number, invoices, after=service.random.uniform(0, 60))
    return _run(
        service,
        "month-end",
        f"{mailboxes:,} mailboxes x {invoices} invoices, every billing run begun within a minute",
        until=6 * 3600,
    )


def steady_state(
    parameters: Parameters,
    *,
    mailboxes: int = 1_000_000,
    invoices: int = 20,
    peak: float = 2.0,
    minutes: float = 20,
) -> Answer:
    """The busiest time of a working day, message by message; the month by its rates."""
    service = Service(parameters)
    rate = mailboxes * invoices / WORKING_SECONDS * peak
    at = 0.0
    while (at := at + service.random.expovariate(rate)) < minutes * 60:
        service.post(service.random.randrange(mailboxes), 1, after=at)
    answer = _run(
        service,
        "steady-state",
        f"{mailboxes:,} mailboxes x {invoices} invoices a month, {peak:g} x the average of working"
        f" hours ({rate:.0f} messages/s) for {minutes:g} minutes",
        until=2 * 3600,
        warm_up=120,
    )
    answer.share_of_month = len(service.sent) / (mailboxes * invoices)
    sweeps = service.tally["sweeps"] / (minutes * 60)
    keep_alive, tidy = mailboxes / (45 * 86_400), mailboxes / (7 * 86_400)
    most = UPKEEP_THREADS * UPKEEP_SHARE / (3 * parameters.assumptions.storage_seconds)
    answer.remarks.append(
        f"upkeep has {sweeps:.1f} mailboxes/s to look at ({sweeps / most:.0%} of its most),"
        f" {tidy:.1f} to tidy, {keep_alive:.1f} refresh tokens/s to keep alive"
    )
    return answer


def outage(
    parameters: Parameters,
    *,
    mailboxes: int = 10_000,
    an_hour: float = 6,
    begin: float = 3600,
    length: float = 3600,
) -> Answer:
    """Entra gives the tenant no token for an hour; its mailboxes go on posting."""
    service = Service(parameters)
    service.outage = (begin, begin + length)
    end = begin + length + 3600
    rate = mailboxes * an_hour / 3600
    at = 0.0
    while (at := at + service.random.expovariate(rate)) < end:
        service.post(service.random.randrange(mailboxes), 1, after=at)
    answer = _run(
        service,
        "outage",
        f"one tenant, {mailboxes:,} mailboxes x {an_hour:g} messages an hour; Entra out for"
        f" {length / 3600:g} h",
        until=end + 3600,
    )
    answer.marks = [(begin, "Entra out"), (begin + length, "back")]
    answer.remarks += _recovery(answer, begin, begin + length)
    return answer


def _recovery(answer: Answer, begin: float, end: float) -> list[str]:
    service = answer.service
    accepted_before = [at - delay for at, delay in service.sent if begin <= at - delay < end]
    late = sorted(at - end for at, delay in service.sent if at > end > at - delay >= begin)
    if not late:
        return []
    half, most = late[len(late) // 2], late[int(len(late) * 0.99)]
    in_vain = service.tally["token calls in vain"]
    return [
        f"of {len(accepted_before):,} messages taken while Entra was out, {len(late):,} waited",
        f"half of those left within {duration(half)} of its end, 99 % within {duration(most)}",
        f"all within {duration(late[-1])}: the longest rest between two tries decides that",
        f"Entra was asked {in_vain:,} times in vain, {in_vain / (end - begin):.1f} times a second",
    ]


def _run(
    service: Service, name: str, question: str, *, until: float, warm_up: float = 0
) -> Answer:
    """Run it from one instance of each group on, which is kept ready in production."""
    samples: list[tuple[float, int, int, int]] = []

    def sample() -> None:
        waiting = len(service.accepted) - len(service.sent)
        instances = len(service.deliver.instances)
        samples.append((service.simulation.now, waiting, len(service.queue), instances))
        if service.is_busy:
            service.simulation.call(sample, 5)

    service.add_instance(service.http)
    service.add_instance(service.deliver)
    service.simulation.start(service.scale())
    service.simulation.call(sample, 0)
    service.simulation.run(until)
    return Answer(name, question, service, samples, warm_up=warm_up)


SCENARIOS: dict[str, Callable[[Parameters], Answer]] = {
    "month-end": month_end,
    "steady-state": steady_state,
    "outage": outage,
}
