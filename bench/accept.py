"""`POST .../messages` until its 202: requests a second, latency, where the time goes, memory."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import inside, stack
from bench.capacity.parameters import Costs
from bench.result import Goal, Options, Result, Row, Sample, Table

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = (1, 32)
EMAILENGINE = {1: 37.0, 32: 56.0}
"""Requests a second that EmailEngine's submit took on a 2-core machine, by clients."""
ONLY_HTTP = {"AzureWebJobs.deliver.Disabled": "true"}
ATTACHMENT = 25_000_000
NOTE = """The clients are one process on kept connections; it, the host and Azurite share the
machine, so the rate is what all three together leave. EmailEngine's 37 and 56 requests a second
were measured elsewhere, on a 2-core machine with Redis beside it; they are quoted, not repeated.
`the store alone` is Azurite asked for the same read, transaction and queue message by 16 threads
through the same clients, with nothing else done: what no caller of it can exceed here. The SDK
clients are most of the CPU of a read, a transaction and a wake-up; they are kept because signing,
batches and retries are Microsoft's to keep right. Of a transaction of six rows azure-core spends
two fifths on three pools of threads that it makes and ends for every batch: with the same work
done in place, 7.4 ms of processor became 4.5. The functions that deliver are switched off, so that
only accepting is measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run: requests a second, latencies in ms, and CPU in ms a request by process."""

    rate: float
    p50: float
    p99: float
    cpu: Mapping[str, float]


def run(options: Options) -> Result:
    """Measure accepting over HTTP, then its steps, then a large attachment."""
    loads: dict[int, list[Load]] = {clients: [] for clients in CLIENTS}
    with stack.running(settings=ONLY_HTTP) as running:
        targets = [f"/api/accounts/{one}/messages" for one in running.accounts(32)]
        for _ in range(options.rounds(5)):
            for clients in CLIENTS:
                count = 200 if options.quick else 300 * (1 if clients == 1 else 3)
                loads[clients].append(_load(running, targets[:clients], clients, count))
        boundary = _boundary(running, targets[0], 300 if options.quick else 1500)
    taken = inside.ask(steps, times=60 if options.quick else 300)
    most = inside.ask(ceiling, times=200 if options.quick else 800)
    peaks = [_peak() for _ in range(options.rounds(3))]
    if not options.quick:
        _keep(loads, boundary, taken)
    return Result(
        title="Accepting: POST .../messages until 202",
        command='make bench ARGS="accept"',
        tables=(
            _rates(loads, most["rate"]),
            _latencies(loads),
            _processor_time(loads),
            _breakdown(loads, boundary, taken),
            Table(
                "a 25 MB attachment, base64 in JSON",
                "x of message",
                (Row("peak memory of the host above its idle", Sample.of(peaks)),),
            ),
        ),
        goals=(
            *(
                Goal.at_least(
                    f"{clients} clients, beside EmailEngine's {EMAILENGINE[clients]:.0f}/s",
                    10,
                    _sample(loads[clients], "rate").median / EMAILENGINE[clients],
                )
                for clients in CLIENTS
            ),
            Goal.at_most("peak memory for a 25 MB attachment", 4, Sample.of(peaks).median),
        ),
        notes=(NOTE,),
    )


def _keep(
    loads: Mapping[int, Sequence[Load]],
    boundary: Mapping[str, float],
    taken: Mapping[str, Mapping[str, float]],
) -> None:
    """Keep what the capacity model asks for; a wake-up for nothing is an invocation and a read."""
    whole = Sample.of([one.cpu["host"] for one in loads[32]]).median
    nothing = boundary["worker"] + taken["account read"]["cpu"]
    Costs.read().keep(accept_cpu=whole / 1000, wakeup_cpu=nothing / 1000)


def _load(
    running: stack.Stack,
    targets: Sequence[str],
    clients: int,
    count: int,
    *,
    token: str | None = None,
    expected: str = "202",
) -> Load:
    job: dict[str, Any] = {
        "port": running.host.port,
        "clients": clients,
        "requests": count,
        "warm_up": 50,
        "targets": list(targets),
        "token": token or running.api.token,
        "body": stack.invoice(),
    }
    before = running.cpu()
    ended = subprocess.run(
        [sys.executable, "-m", "bench.clients.load"],
        cwd=ROOT,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found, after = json.loads(ended.stdout), running.cpu()
    if set(found["statuses"]) != {expected}:
        raise RuntimeError(f"not all were answered {expected}: {found['statuses']}")
    all_of_it = count + job["warm_up"]
    cpu = {name: (after[name] - before[name]) / all_of_it * 1000 for name in after}
    times = sorted(found["times"])
    return Load(
        rate=count / found["seconds"],
        p50=times[len(times) // 2] * 1000,
        p99=times[int(len(times) * 0.99)] * 1000,
        cpu={**cpu, "clients": found["cpu"] / count * 1000},
    )


def _boundary(running: stack.Stack, target: str, count: int) -> Mapping[str, float]:
    """Return the host's CPU, in ms, for a request that goes no further than its HTTP or ours."""
    nowhere = _load(running, ["/nowhere"], 8, count, expected="404").cpu["host"]
    refused = _load(running, [target], 8, count, token="x", expected="401").cpu["host"]
    return {"http": nowhere, "worker": refused - nowhere}


def _sample(loads: Sequence[Load], figure: str) -> Sample:
    return Sample.of([getattr(each, figure) for each in loads])


def _rates(loads: Mapping[int, Sequence[Load]], ceiling: float) -> Table:
    rows = [
        Row(
            f"{clients} clients",
            rate := _sample(each, "rate"),
            (rate.median / EMAILENGINE[clients], rate.median / ceiling),
        )
        for clients, each in loads.items()
    ]
    rows.append(Row("the store alone", Sample.of([ceiling]), (None, 1.0)))
    return Table(
        "10 kB invoice", "requests/s", tuple(rows), ("EmailEngine, quoted", "the store alone")
    )


def _latencies(loads: Mapping[int, Sequence[Load]]) -> Table:
    rows = [
        Row(f"{clients} clients, {figure}", _sample(each, figure))
        for clients, each in loads.items()
        for figure in ("p50", "p99")
    ]
    return Table("latency of the 202", "ms", tuple(rows))


def _processor_time(loads: Mapping[int, Sequence[Load]]) -> Table:
    rows = []
    for clients, each in loads.items():
        used = {name: Sample.of([one.cpu[name] for one in each]) for name in each[0].cpu}
        whole = sum(sample.median for sample in used.values())
        rows += [
            Row(f"{clients} clients: {name}", sample, (sample.median / whole,))
            for name, sample in used.items()
        ]
    return Table("processor time by process", "ms a request", tuple(rows), ("all of it",))


def _breakdown(
    loads: Mapping[int, Sequence[Load]],
    boundary: Mapping[str, float],
    steps: Mapping[str, Mapping[str, float]],
) -> Table:
    """Split the host's CPU: its HTTP, Microsoft's worker, and ours, step by step."""
    whole = Sample.of([one.cpu["host"] for one in loads[32]])
    parts = {
        "the local host's HTTP (in Azure another process)": boundary["http"],
        "worker, boundary and log": boundary["worker"],
        **{name: step["cpu"] for name, step in steps.items()},
    }
    parts["not told apart"] = whole.median - sum(parts.values())
    rows = [
        Row(name, Sample.of([value]), (value / whole.median,)) for name, value in parts.items()
    ]
    rows.append(Row("the host, 32 clients", whole, (1.0,)))
    return Table("where the host's processor time goes", "ms", tuple(rows), ("the host",))


def _peak() -> float:
    """Return how much the host's memory grew for a 25 MB attachment, in sizes of the message."""
    with stack.running(settings=ONLY_HTTP) as running:
        (account,) = running.accounts(1)
        path = f"/accounts/{account}/messages"
        running.api.post(path, stack.invoice())  # what is imported for it is not the message's
        idle = stack.memory_of(running.host.process.pid)
        body = stack.invoice()
        body["attachments"][0]["content"] = base64.b64encode(bytes(ATTACHMENT)).decode()
        answer = running.api.post(path, body)
        if answer.status != 202:
            raise RuntimeError(answer.text)
        size: int = answer.json["size"]
        return (stack.peak_of(running.host.process.pid) - idle) / size


def steps(times: int = 200) -> dict[str, dict[str, float]]:
    """Accepting a message, step by step."""
    with stack.outside() as (_, standins, told):
        os.environ.update(told)
        office = inside.office(standins)
        from functions._views import message_view
        from shared import wiring
        from shared.messages.draft import Draft, Sender
        from shared.messages.request import draft_from_json

        account = office.open_account()
        token = f"Bearer {standins.issuer.mint(office.customer)}"
        body = json.dumps(stack.invoice()).encode()

        def compose(sender: Sender, message_id: str) -> Draft:
            return draft_from_json(body, sender=sender, message_id=message_id, now=wiring.now())

        sender = Sender(account.address, None)
        found = wiring.register().find_watched(office.customer, account.id)
        wiring.intake().accept(found, compose)  # puts the mailbox on the agenda
        found = wiring.register().find_watched(office.customer, account.id)
        record = wiring.intake().accept(found, compose).record
        draft = compose(sender, "<a@firma.no>")

        def view() -> bytes:
            shown = message_view(record, account, None, language="nb", now=wiring.now())
            return json.dumps(shown, ensure_ascii=False).encode()

        measured = {
            "caller's token verified": lambda: wiring.callers().verify(token),
            "account read": lambda: wiring.register().find_watched(office.customer, account.id),
            "request checked, message composed": lambda: compose(sender, "<a@firma.no>"),
            "one transaction, with the record made": lambda: wiring.intake().accept(
                found, lambda _sender, _id: draft
            ),
            "wake-up sent": lambda: wiring.wake(account.id),
            "answer written": view,
        }
        results = {name: inside.timed(action, times) for name, action in measured.items()}
        stored = results["one transaction, with the record made"]
        for kind in stored:
            stored[kind] -= results["wake-up sent"][kind]
        return results


def ceiling(times: int = 800, threads: int = 16) -> dict[str, float]:
    """What Azurite takes of a read, a transaction and a queue message, by threads at once."""
    with stack.outside() as (_, standins, told):
        os.environ.update(told)
        office = inside.office(standins)
        from shared import wiring
        from shared.messages.draft import Sender

        found = {}
        compose = office.composing("Faktura", attachments=stack.invoice()["attachments"])
        for _ in range(threads):
            account = office.open_account()
            found[account.id] = wiring.register().find_watched(office.customer, account.id)
            wiring.intake().accept(found[account.id], compose)
            found[account.id] = wiring.register().find_watched(office.customer, account.id)
        draft = compose(Sender("kari@firma.no", None), "<a@firma.no>")

        def once(account: str) -> None:
            wiring.accounts().watched(account)
            wiring.intake().accept(found[account], lambda _sender, _id: draft)

        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(once, list(found) * (times // threads)))
        return {"rate": times // threads * threads / (time.perf_counter() - began)}
