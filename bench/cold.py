"""A cold start: what is imported for what, the first message after a start, idle memory."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import servers
from bench.result import Goal, Options, Result, Row, Sample, Table
from local import azurite
from local.host import process
from local.host.process import HostProcess
from local.standins import Stack
from tests.client import FRONTEND, Api
from tests.house.test_cold_start import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
ROUND_TRIP = 20
KINDS = {
    "platform": "azure.functions alone",
    "index": "function_app, all functions indexed",
    "accept": "then the first POST .../messages",
    "deliver": "then the first wake-up",
    "oauth": "then the first browser",
    "upkeep": "then the first timer",
    "health": "then the first look at its health",
    "sdks": "every SDK at once, for comparison",
}
STEPS = (
    "host: process started until it listens",
    "accepted and stored, until token and connection are begun",
    "both, until AUTH: identity, vault, Entra; connect, STARTTLS",
    "SMTP: envelope and content",
    "written back and answered",
)
REMARK = """Imports are counted in processor time, in a fresh interpreter each. The deployment's
build adds byte code that does not depend on file times (`infra/build.env`), so the table with byte
code is what a new instance pays. The first message is one `POST .../messages` with `Prefer: wait`
to a host just started, on Azurite and the stand-ins, with 20 ms a round trip to the mail server;
the local host stands in for Azure's, whose own start is not ours to measure. The entry point puts
the garbage collector off until all is indexed, where a third of our own part went."""


def run(options: Options) -> Result:
    """Measure imports, then the first messages of fresh hosts."""
    compiled = _imports(options.rounds(7))
    source = _imports(options.rounds(3), "--source")
    starts = _starts(options.rounds(3))
    platform = compiled["platform"].median
    idle = Sample.of([each.idle for each in starts])
    return Result(
        title="Cold start",
        command='make bench ARGS="cold"',
        tables=(
            _import_table("imports, with byte code", compiled),
            _import_table("imports, without byte code", source),
            _step_table(starts),
            Table(
                "memory of the host",
                "MiB",
                (
                    Row("idle, just started", idle),
                    Row("after its first messages", Sample.of([each.used for each in starts])),
                ),
            ),
        ),
        goals=(
            Goal.at_most(
                "indexing beside importing azure.functions alone",
                1.1,
                compiled["index"].median / platform,
            ),
            Goal.at_most("idle memory of the host", 147.6, idle.median, "MiB"),
        ),
        notes=(REMARK,),
    )


def _imports(rounds: int, *more: str) -> Mapping[str, Sample]:
    """Return the milliseconds of each kind, in runs that take turns."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    environment = {**os.environ, **SETTINGS}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for number in range(rounds + 1):
        for kind in KINDS:
            command = [sys.executable, "-m", "bench.clients.imports", kind, *more]
            ended = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            if number:  # the first round fills caches, or writes the byte code
                found[kind].append(json.loads(ended.stdout)["seconds"] * 1000)
    return {kind: Sample.of(values) for kind, values in found.items()}


def _import_table(title: str, samples: Mapping[str, Sample]) -> Table:
    base = samples["platform"].median
    rows = tuple(Row(KINDS[kind], each, (each.median / base,)) for kind, each in samples.items())
    return Table(title, "ms of processor", rows, ("azure.functions",))


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the host: milliseconds of each step and of the next message; MiB held."""

    steps: tuple[float, ...]
    next_message: float
    idle: float
    used: float


def _starts(rounds: int) -> Sequence[Start]:
    with (
        azurite.running() as storage,
        Stack(only=("entra", "key_vault", "identity", "issuer")) as standins,
    ):
        told = standins.settings() | {
            "PUBLIC_URL": f"http://localhost:{_free_port()}",
            "ALLOWED_ORIGINS": FRONTEND,
            "AzureWebJobsStorage": storage.connection_string,
        }
        return [_start(told, standins, f"kari-{number}@firma.no") for number in range(rounds)]


def _start(told: Mapping[str, str], standins: Stack, username: str) -> Start:
    """Connect an account with one host, then send with another that was never used."""
    standins.entra.add_user(username)
    with _mail_server(standins) as mail:
        told = {**told, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mail.port)}
        port = int(told["PUBLIC_URL"].rpartition(":")[2])
        with process.running(told, port=port) as host:
            account = _api(host, standins).add_connected_account(username)["id"]
        began = time.monotonic()
        with process.running(told, port=port) as host:
            moments = [began, time.monotonic()]
            idle = _memory(host)
            moments += _send(_api(host, standins), account)
            again = _send(_api(host, standins), account)
            used = _memory(host)
    session = next(each for each in mail.counted["moments"] if each["connected"] > moments[2])
    asked = [*standins.key_vault.asked, *standins.entra.asked, *standins.identity.asked]
    tokens = sorted(each.at for each in asked if each.at > moments[2])
    begun = min(tokens[0], session["connected"])
    inner = [begun, session["authenticated"], session["received"]]
    points = [*moments[:2], moments[2], *inner, moments[3]]
    steps = [later - earlier for earlier, later in itertools.pairwise(points)]
    del steps[1]  # our own pause between the start and the request
    return Start(tuple(each * 1000 for each in steps), (again[1] - again[0]) * 1000, idle, used)


@contextmanager
def _mail_server(standins: Stack) -> Iterator[servers.Server]:
    """Run a sink that the host trusts, since it shows the stand-ins' certificate."""
    trust = standins.trust
    both = trust.folder / "both.pem"
    both.write_bytes(trust.certificate.read_bytes() + trust.key.read_bytes())
    with servers.sink(servers.Trust(str(trust.ca), str(both)), ROUND_TRIP) as mail:
        yield mail


def _api(host: HostProcess, standins: Stack) -> Api:
    return Api(host.url, standins, standins.issuer.mint)


def _send(api: Api, account: str) -> tuple[float, float]:
    """Send a message and wait until it is sent; return when that began and when it ended."""
    message = {"to": ["ola@kunde.no"], "subject": "Faktura", "text": "Hei!\n" * 2000}
    began = time.monotonic()
    answer = api.post(f"/accounts/{account}/messages", message, prefer="wait=20")
    ended = time.monotonic()
    if answer.json["status"] != "sent":
        raise RuntimeError(f"the message was not sent: {answer.text}")
    return began, ended


def _memory(host: HostProcess) -> float:
    """Return the MiB that the host holds."""
    text = Path(f"/proc/{host.process.pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def _step_table(starts: Sequence[Start]) -> Table:
    columns = zip(*(each.steps for each in starts), strict=True)
    rows = [Row(name, Sample.of(each)) for name, each in zip(STEPS, columns, strict=True)]
    rows.append(Row("all of the request", Sample.of([sum(each.steps[1:]) for each in starts])))
    rows.append(Row("the next one", Sample.of([each.next_message for each in starts])))
    return Table("first message after a start, step by step", "ms", tuple(rows))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
