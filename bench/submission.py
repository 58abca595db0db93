"""One mailbox, one connection: messages per second, first message, processor time and memory."""

from collections.abc import Mapping, Sequence

from bench.clients.job import Job
from bench.contenders import Contender, Run, interleave, sample
from bench.result import Options, Result, Row, Table
from bench.servers import sink, trust

OURS, OURS_BURST = "ours, one by one", "ours, burst"
NODEMAILER, NODEMAILER_QUEUE = "Nodemailer pool, one by one", "Nodemailer pool, queued"
BARE, BARE_BURST = "bare loop, waits for 354", "bare loop, chained"
WARM = (
    Contender(OURS, "ours", "single"),
    Contender(OURS_BURST, "ours", "burst"),
    Contender(NODEMAILER, "nodemailer.mjs", "single"),
    Contender(NODEMAILER_QUEUE, "nodemailer.mjs", "burst"),
    Contender("smtplib, reused", "stdlib", "single"),
    Contender("aiosmtplib, reused", "aio", "single"),
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

type Runs = Mapping[str, Sequence[Run]]


def run(options: Options) -> Result:
    """Measure the submission module beside its rivals."""
    fast = warm(0, SMALL, 400 if options.quick else 2000, options.rounds(7))
    near = warm(5, SMALL, 40 if options.quick else 100, options.rounds(3))
    far = warm(20, SMALL, 10 if options.quick else 40, options.rounds(3))
    large = warm(0, LARGE, 50 if options.quick else 200, options.rounds(5))
    first = cold(20, options.rounds(5))
    return Result(
        title="Submission: one mailbox",
        command='make bench ARGS="submission"',
        tables=(
            rates("10 kB, warm, no delay", fast),
            rates("10 kB, warm, 5 ms round trip", near),
            rates("10 kB, warm, 20 ms round trip", far),
            rates("300 kB, warm, no delay", large),
            first_message("first message from cold, 20 ms round trip", first),
            processor_time("10 kB, warm, no delay", fast),
            memory("10 kB, warm, no delay", fast),
        ),
    )


def warm(delay: float, size: int, messages: int, rounds: int) -> Runs:
    """Let everybody send *messages* of *size* octets over a connection that is up."""
    with trust() as trusted, sink(trusted, delay) as server:
        job = Job(server.port, trusted.ca, messages, size, warm_up=max(5, messages // 20))
        return interleave(WARM, lambda _: job, rounds)


def cold(delay: float, rounds: int) -> Runs:
    """Let everybody send one message, connection and handshake included."""
    with trust() as trusted, sink(trusted, delay) as server:
        job = Job(server.port, trusted.ca, 1, SMALL)
        return interleave(COLD, lambda _: job, rounds)


def rates(title: str, runs: Runs) -> Table:
    """Messages a second, beside Nodemailer and the bare loop."""
    rows = []
    for name, done in runs.items():
        measured = sample(done, lambda each: each.rate)
        ratios = tuple(
            measured.median / sample(runs[other], lambda each: each.rate).median
            for other in (NODEMAILER_QUEUE, BARE, BARE_BURST)
        )
        rows.append(Row(name, measured, ratios))
    return Table(title, "messages/s", tuple(rows), ("Nodemailer", "bare", "bare chained"))


def first_message(title: str, runs: Runs) -> Table:
    """Milliseconds until the first message was accepted."""
    base = sample(runs["Nodemailer"], lambda each: each.seconds).median * 1000
    rows = []
    for name, done in runs.items():
        measured = sample(done, lambda each: each.seconds * 1000)
        rows.append(Row(name, measured, (measured.median / base,)))
    return Table(title, "ms", tuple(rows), ("Nodemailer",))


def processor_time(title: str, runs: Runs) -> Table:
    """Seconds of processor time for 1,000 messages."""
    base = sample(runs[NODEMAILER_QUEUE], lambda each: each.cpu_per_thousand).median
    rows = []
    for name, done in runs.items():
        measured = sample(done, lambda each: each.cpu_per_thousand)
        rows.append(Row(name, measured, (measured.median / base,)))
    return Table(f"processor, {title}", "s per 1,000", tuple(rows), ("Nodemailer",))


def memory(title: str, runs: Runs) -> Table:
    """The most memory the whole process held."""
    base = sample(runs[NODEMAILER_QUEUE], lambda each: each.peak).median
    rows = []
    for name, done in runs.items():
        measured = sample(done, lambda each: each.peak / 1024 / 1024)
        rows.append(Row(name, measured, (measured.median * 1024 * 1024 / base,)))
    return Table(f"peak memory, {title}", "MiB", tuple(rows), ("Nodemailer",))
