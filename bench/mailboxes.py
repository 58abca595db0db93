"""Many mailboxes with a few messages each: tokens, connections and handshakes, many at once."""

from collections.abc import Mapping, Sequence

from bench.clients.job import Job
from bench.contenders import Contender, Run, interleave, sample
from bench.result import Goal, Options, Result, Row, Sample, Table, number
from bench.servers import sink, token_endpoint, trust

ROUND_TRIP, TOKEN_TIME = 5, 50
MAILBOXES, MESSAGES, AT_ONCE = 500, 2, 32
OURS, NODEMAILER, BARE = "ours", "Nodemailer pool", "bare loop, chained"
NOTE = f"""{AT_ONCE} mailboxes at once; each fetches a token over HTTPS, connects, sends, leaves.
The Python rivals share one TLS context and keep their connections to the token endpoint, which
they would not do by themselves."""
CONTENDERS = tuple(
    Contender(name, program, "mailboxes")
    for name, program in (
        (OURS, "ours"),
        (NODEMAILER, "nodemailer.mjs"),
        ("smtplib", "stdlib"),
        ("aiosmtplib", "aio"),
        (BARE, "bare"),
    )
)


def run(options: Options) -> Result:
    """Measure the submission module and the token source together."""
    mailboxes = 100 if options.quick else MAILBOXES
    with (
        trust() as trusted,
        sink(trusted, ROUND_TRIP) as server,
        token_endpoint(trusted, TOKEN_TIME) as tokens,
    ):
        job = Job(
            server.port,
            trusted.ca,
            MESSAGES,
            10_000,
            mailboxes=mailboxes,
            at_once=AT_ONCE,
            tokens=tokens.port,
        )
        runs = interleave(CONTENDERS, lambda _: job, options.rounds(5))
    rate = {name: sample(done, lambda each: each.rate) for name, done in runs.items()}
    return Result(
        title=f"Submission: {mailboxes} mailboxes with {MESSAGES} messages each",
        command='make bench ARGS="mailboxes"',
        tables=(
            _compared("10 kB, 5 ms round trip, 50 ms a token", "messages/s", rate),
            _compared("processor", "s per 1,000", _processor_time(runs)),
            _compared("peak memory", "MiB", _memory(runs)),
        ),
        goals=(
            Goal.at_least(
                "through submission module and token source, beside Nodemailer's pool",
                2,
                rate[OURS].median / rate[NODEMAILER].median,
            ),
            Goal.at_least(
                "the same beside the bare loop", 0.85, rate[OURS].median / rate[BARE].median
            ),
        ),
        notes=(NOTE, _limits(runs)),
    )


def _limits(runs: Mapping[str, Sequence[Run]]) -> str:
    """Say what a process could do if it never had to wait, and how long a mailbox must wait."""
    costs = {name: each.median for name, each in _processor_time(runs).items()}
    each = ", ".join(f"{name} {number(1000 / cost)}" for name, cost in costs.items())
    waiting = TOKEN_TIME + 10 * ROUND_TRIP  # nine for the first message, one more in the burst
    overlapped = max(TOKEN_TIME, 5 * ROUND_TRIP) + 5 * ROUND_TRIP
    return (
        f"By processor time alone one process could do, in messages a second: {each}; Python's "
        "lock and Node's one thread leave no more. By waiting alone, "
        f"{number(AT_ONCE * MESSAGES / waiting * 1000)}: a token and ten round trips for each "
        f"mailbox; ours {number(AT_ONCE * MESSAGES / overlapped * 1000)}, since five of the round "
        "trips pass while the token is fetched. Sink and token endpoint share the machine's cores "
        "with the client. Our token comes through MSAL and from another thread, which is why we "
        "use more processor than the bare loop: that is what we are bound by."
    )


def _processor_time(runs: Mapping[str, Sequence[Run]]) -> dict[str, Sample]:
    return {name: sample(done, lambda each: each.cpu_per_thousand) for name, done in runs.items()}


def _memory(runs: Mapping[str, Sequence[Run]]) -> dict[str, Sample]:
    return {name: sample(done, lambda each: each.peak / 2**20) for name, done in runs.items()}


def _compared(title: str, unit: str, samples: Mapping[str, Sample]) -> Table:
    rows = tuple(
        Row(name, each, tuple(each.median / samples[base].median for base in (NODEMAILER, BARE)))
        for name, each in samples.items()
    )
    return Table(title, unit, rows, ("Nodemailer", "bare"))
