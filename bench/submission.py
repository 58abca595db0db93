"""One mailbox, one connection: messages per second, first message, processor time and memory."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median

from bench import parts, relay
from bench.clients.job import Job
from bench.contenders import Contender, Run, interleave, sample
from bench.contenders import run as run_once
from bench.result import Goal, Options, Result, Row, Table, number
from bench.servers import sink, token_endpoint, trust

OURS, OURS_BURST = "ours, one by one", "ours, burst"
NODEMAILER, NODEMAILER_QUEUE = "Nodemailer pool, one by one", "Nodemailer pool, queued"
BARE, BARE_BURST = "bare loop, waits for 354", "bare loop, chained"
RELAY = "emailproxy, smtplib reused"
WARM = (
    Contender(OURS, "ours", "single"),
    Contender(OURS_BURST, "ours", "burst"),
    Contender(NODEMAILER, "nodemailer.mjs", "single"),
    Contender(NODEMAILER_QUEUE, "nodemailer.mjs", "burst"),
    Contender("smtplib, reused", "stdlib", "single"),
    Contender("aiosmtplib, reused", "aio", "single"),
    Contender(RELAY, "stdlib", "relay"),
    Contender(BARE, "bare", "single"),
    Contender(BARE_BURST, "bare", "burst"),
)
COLD = tuple(
    Contender(name, program, "cold")
    for name, program in (
        ("ours", "ours"),
        ("Nodemailer", "nodemailer.mjs"),
        ("smtplib", "stdlib"),
        ("aiosmtplib", "aio"),
        ("bare loop", "bare"),
    )
)
SMALL, LARGE = 10_000, 300_000
DRIVERS = 2
REMARK = """*One by one* awaits each message before it hands over the next; *queued* gives
Nodemailer's pool all at once, *burst* chains our next envelope behind the content, as the chained
bare loop does. The content never leaves before the server has asked for it: the sink counts what
comes early, and such a run fails. Nodemailer and aiosmtplib put the token into the AUTH command
itself, one round trip less than RFC 4954 section 4 allows for tokens of this length (1.8 kB); we,
smtplib and the bare loop wait for the server's challenge. emailproxy's processor time and memory
are those of relay and client together."""


@dataclass(frozen=True, slots=True)
class Warm:
    """Everybody's runs over connections that are up."""

    title: str
    runs: Mapping[str, Sequence[Run]]

    def median(self, name: str, figure: Callable[[Run], float]) -> float:
        """Return the median of one contender's *figure*."""
        return sample(self.runs[name], figure).median

    def ratio(self, name: str, base: str, figure: Callable[[Run], float]) -> float:
        """Return what *name* has of what *base* has."""
        return self.median(name, figure) / self.median(base, figure)


def run(options: Options) -> Result:
    """Measure the submission module beside its rivals."""
    fast = warm("10 kB, no delay", 0, SMALL, 400 if options.quick else 2000, options.rounds(7))
    near = warm("10 kB, 5 ms round trip", 5, SMALL, 100, options.rounds(3))
    far = warm("10 kB, 20 ms round trip", 20, SMALL, 40, options.rounds(3))
    large = warm("300 kB, no delay", 0, LARGE, 50 if options.quick else 200, options.rounds(5))
    first = cold(20, options.rounds(5))
    rounds = options.rounds(3)
    return Result(
        title="Submission: one mailbox",
        command='make bench ARGS="submission"',
        tables=(
            *(rates(each) for each in (fast, near, far, large)),
            first_message(first),
            used("processor", "s per 1,000", fast, cpu),
            used("peak memory", "MiB", fast, held),
            used("processor", "s per 1,000", large, cpu),
            used("peak memory", "MiB", large, held),
        ),
        goals=(*goals(fast, near, far, large), first_goal(first)),
        notes=(
            REMARK,
            least(first),
            reasons(fast, parts.measure()),
            ceiling(SMALL, 4000, rounds),
            ceiling(LARGE, 200, rounds),
        ),
    )


def rate(each: Run) -> float:
    """Messages a second."""
    return each.rate


def cpu(each: Run) -> float:
    """Seconds of processor time for 1,000 messages."""
    return each.cpu_per_thousand


def held(each: Run) -> float:
    """The most memory held, MiB."""
    return each.peak / 2**20


def seconds(each: Run) -> float:
    """Wall time."""
    return each.seconds


def warm(title: str, delay: float, size: int, messages: int, rounds: int) -> Warm:
    """Let everybody send *messages* of *size* octets over a connection that is up."""
    with (
        trust() as trusted,
        sink(trusted, delay) as server,
        token_endpoint(trusted, 0) as tokens,
        relay.running(trusted, smtp=server.port, tokens=tokens.port) as proxy,
    ):
        job = Job(server.port, trusted.ca, messages, size, warm_up=max(5, messages // 20))
        relayed = replace(job, port=proxy.port, relay=proxy.pid)
        runs = interleave(WARM, lambda each: relayed if each.name == RELAY else job, rounds)
    return Warm(title, runs)


@dataclass(frozen=True, slots=True)
class Cold:
    """Everybody's runs of one message on a new connection, and how often each had to wait."""

    runs: Mapping[str, Sequence[Run]]
    round_trips: Mapping[str, int]
    delay: float

    def median(self, name: str) -> float:
        """Return the median of one contender, in milliseconds."""
        return sample(self.runs[name], seconds).median * 1000


def cold(delay: float, rounds: int) -> Cold:
    """Let everybody send one message, connection and handshake included."""
    with trust() as trusted, sink(trusted, delay) as server:
        job = Job(server.port, trusted.ca, 1, SMALL)
        runs = interleave(COLD, lambda _: job, rounds)
    names = [each.name for each in COLD] * rounds
    waits = {
        name: int(moments["round_trips"])
        for name, moments in zip(names, server.counted["moments"], strict=True)
    }
    return Cold(runs, waits, delay)


def rates(measured: Warm) -> Table:
    """Messages a second, beside Nodemailer and the bare loops."""
    against = (NODEMAILER_QUEUE, BARE, BARE_BURST)
    rows = tuple(
        Row(name, sample(done, rate), tuple(measured.ratio(name, base, rate) for base in against))
        for name, done in measured.runs.items()
    )
    return Table(measured.title, "messages/s", rows, ("Nodemailer", "bare", "bare chained"))


def used(what: str, unit: str, measured: Warm, figure: Callable[[Run], float]) -> Table:
    """What the whole process used, beside Nodemailer."""
    rows = tuple(
        Row(name, sample(done, figure), (measured.ratio(name, NODEMAILER_QUEUE, figure),))
        for name, done in measured.runs.items()
    )
    return Table(f"{what}: {measured.title}", unit, rows, ("Nodemailer",))


def first_message(measured: Cold) -> Table:
    """Milliseconds until the first message was accepted, with the round trips in it."""
    base = measured.median("Nodemailer")
    rows = tuple(
        Row(
            name,
            sample(done, lambda each: each.seconds * 1000),
            (measured.median(name) / base,),
            f"{measured.round_trips[name]} round trips",
        )
        for name, done in measured.runs.items()
    )
    title = f"first message of a new connection, {measured.delay:g} ms round trip"
    return Table(title, "ms", rows, ("Nodemailer",))


def goals(fast: Warm, near: Warm, far: Warm, large: Warm) -> Sequence[Goal]:
    """Judge the warm runs; Nodemailer counts with the faster of its two ways."""

    def beside_nodemailer(measured: Warm, ours: str) -> float:
        best = max(measured.median(name, rate) for name in (NODEMAILER, NODEMAILER_QUEUE))
        return measured.median(ours, rate) / best

    return (
        Goal.at_least(
            "10 kB, no delay, one by one, beside Nodemailer", 3, beside_nodemailer(fast, OURS)
        ),
        Goal.at_least(
            "10 kB, no delay, burst, beside Nodemailer", 3, beside_nodemailer(fast, OURS_BURST)
        ),
        Goal.at_least(
            "10 kB, no delay, one by one, beside the bare loop", 0.8, fast.ratio(OURS, BARE, rate)
        ),
        Goal.at_least(
            "10 kB, no delay, burst, beside the chained bare loop",
            0.8,
            fast.ratio(OURS_BURST, BARE_BURST, rate),
        ),
        Goal.at_most(
            "processor for a message beside Nodemailer",
            0.25,
            fast.ratio(OURS, NODEMAILER_QUEUE, cpu),
        ),
        Goal.at_least("300 kB beside Nodemailer", 2, beside_nodemailer(large, OURS)),
        Goal.at_least("burst, 5 ms, beside Nodemailer", 1.8, beside_nodemailer(near, OURS_BURST)),
        Goal.at_least("burst, 20 ms, beside Nodemailer", 1.8, beside_nodemailer(far, OURS_BURST)),
    )


def first_goal(measured: Cold) -> Goal:
    """Judge the first message."""
    ratio = measured.median("ours") / measured.median("Nodemailer")
    return Goal.at_most("first message of a new connection beside Nodemailer", 0.65, ratio)


def least(measured: Cold) -> str:
    """Say what of the first message's time no client can spare."""
    ours, trips = measured.median("ours"), measured.round_trips["ours"]
    waiting = trips * measured.delay
    return (
        f"A new connection needs {trips} round trips: greeting, EHLO, STARTTLS, handshake of "
        f"TLS 1.3, EHLO, AUTH, token, envelope, content. They are {waiting:g} of our "
        f"{number(ours)} ms, which is {waiting / measured.median('Nodemailer'):.2f} of "
        "Nodemailer's time already. Fewer would mean to say something before the server has "
        "agreed to it, or the token in the line of AUTH."
    )


def reasons(measured: Warm, parts: Mapping[str, float]) -> str:
    """Say what our client does that the bare loop leaves out."""
    ours, bare = (measured.median(name, cpu) * 1000 for name in (OURS_BURST, BARE_BURST))
    listed = ", ".join(f"{name} {number(each)}" for name, each in parts.items())
    return (
        f"A message of the burst costs us {number(ours)} µs of processor, the chained bare loop "
        f"{number(bare)}, which checks nothing and says the same each time. Our Python alone, "
        f"against a socket that answers at once, in µs: {listed}. At a round trip of 5 ms or more "
        "both send as fast."
    )


def ceiling(size: int, messages: int, rounds: int) -> str:
    """Drive one sink with chained bare loops from several processes and say what it takes."""
    driver = Contender(BARE_BURST, "bare", "burst")
    rates, costs = [], []
    for _ in range(rounds):
        with (
            trust() as trusted,
            sink(trusted) as server,
            ThreadPoolExecutor(DRIVERS) as threads,
        ):
            job = Job(server.port, trusted.ca, messages, size, warm_up=messages // 20)
            started = [threads.submit(run_once, driver, job) for _ in range(DRIVERS)]
            rates.append(sum(each.result().rate for each in started))
        costs.append(server.counted["cpu"] / server.counted["messages"] * 1e6)
    return (
        f"The sink's ceiling at {size // 1000} kB: {DRIVERS} chained bare loops at once bring "
        f"{number(median(rates))} messages a second into it; it needs {number(median(costs))} µs "
        f"of processor for each, so that one core could take {number(1e6 / median(costs))}."
    )
