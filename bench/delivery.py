"""Delivery: what a drain asks of the store, `Prefer: wait` from cold, many mailboxes at once."""

import os
import ssl
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench import inside, stack
from bench.capacity.parameters import Costs
from bench.result import Goal, Options, Result, Row, Sample, Table

if TYPE_CHECKING:
    from shared.accounts.account import Account

MESSAGES = 20
ROUND_TRIP = 20
TOKEN_MS = 200
AT_ONCE = (1, 16, 32, 64)
DESIGNED = {"write": MESSAGES + 2, "read message": MESSAGES, "read content": MESSAGES}
NOTE = f"""The drain is that of {MESSAGES} messages of 10 kB, token and session at hand.
One transaction takes the lease, one begins the first message, one each writes a message's result
with the next one's beginning, one gives the lease back with the last result; record and content
are read while the message before is under way, so their time is not the drain's. From cold: the
process has delivered before, the mailbox has not; Entra takes {TOKEN_MS} ms a token, the mail
server {ROUND_TRIP} ms a round trip. Unavoidable are that token and the SMTP dialogue, which the
submission module alone is timed for in the same run, one after the other; the product connects
while the token is fetched, which is how the whole can take less. The rest is HTTP, the caller's
token, accepting, the lease, Key Vault and writing the result, on Azurite and the stand-ins."""


def run(options: Options) -> Result:
    """Measure drains, cold waits and crowds."""
    drains = [inside.ask(drain, delay=0) for _ in range(options.rounds(5))]
    far = [inside.ask(drain, delay=ROUND_TRIP) for _ in range(options.rounds(3))]
    if not options.quick:
        _keep(drains)
    waits = cold_waits(3 if options.quick else 9)
    crowds = {
        count: [inside.ask(at_once, mailboxes=count) for _ in range(options.rounds(3))]
        for count in AT_ONCE
    }
    calls = drains[0]["calls"]
    commits = sum(each["calls"] for kind, each in calls.items() if kind.startswith("write"))
    beyond = Sample.of([one["whole"] / one["unavoidable"] - 1 for one in waits])
    fairness = [one["longest"] / one["median"] for one in crowds[max(AT_ONCE)]]
    return Result(
        title="Delivery on Azurite",
        command='make bench ARGS="delivery"',
        tables=(
            _calls(drains),
            _drains(drains, far),
            _waits(waits),
            _crowds(crowds),
        ),
        goals=(
            Goal.at_most(
                f"transactions of a drain of {MESSAGES}", DESIGNED["write"], commits, "calls"
            ),
            Goal.at_most(
                "`Prefer: wait` from cold, beyond token and dialogue", 15, beyond.median * 100, "%"
            ),
            Goal.at_most(
                f"the slowest of {max(AT_ONCE)} drains at once, beside the median",
                2,
                statistics.median(fairness),
            ),
        ),
        notes=(NOTE,),
    )


def _keep(drains: Sequence[Mapping[str, Any]]) -> None:
    """Keep what the capacity model asks for: a drain's own cost, and that of each message."""
    single = statistics.median([inside.ask(drain, messages=1, delay=0)["cpu"] for _ in range(5)])
    many = statistics.median([one["cpu"] for one in drains])
    message = (many - single) / (MESSAGES - 1)
    Costs.read().keep(message_cpu=message, drain_cpu=max(0.0, single - message))


def _calls(drains: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for kind in drains[0]["calls"]:
        each = [one["calls"][kind] for one in drains]
        per_call = Sample.of([one["ms"] / one["calls"] for one in each])
        rows.append(Row(f"{each[0]['calls']} × {kind}", per_call))  # noqa: RUF001
    return Table(f"a drain of {MESSAGES}, call by call", "ms a call", tuple(rows))


def _drains(near: Sequence[Mapping[str, Any]], far: Sequence[Mapping[str, Any]]) -> Table:
    def each(drains: Sequence[Mapping[str, Any]], figure: str) -> Sample:
        return Sample.of([one[figure] / MESSAGES * 1000 for one in drains])

    waiting = [_waited(one) / MESSAGES for one in near]
    return Table(
        f"a drain of {MESSAGES}, a message",
        "ms",
        (
            Row("no round trip", each(near, "seconds")),
            Row("of that waiting for transactions", Sample.of(waiting)),
            Row("processor", each(near, "cpu")),
            Row(f"{ROUND_TRIP} ms round trip", each(far, "seconds")),
        ),
    )


def _waited(drained: Mapping[str, Any]) -> float:
    calls = drained["calls"].items()
    return float(sum(each["ms"] for kind, each in calls if kind.startswith("write")))


def _waits(waits: Sequence[Mapping[str, float]]) -> Table:
    rows = (
        ("POST with `Prefer: wait`, answered 200", "whole"),
        ("unavoidable: token and SMTP dialogue", "unavoidable"),
    )
    return Table(
        "first message of a mailbox",
        "ms",
        tuple(Row(name, Sample.of([one[key] * 1000 for one in waits])) for name, key in rows),
    )


def _crowds(crowds: Mapping[int, Sequence[Mapping[str, float]]]) -> Table:
    alone = statistics.median([one["rate"] for one in crowds[1]])
    rows = []
    for count, each in crowds.items():
        rate = Sample.of([one["rate"] for one in each])
        spread = statistics.median([one["longest"] / one["median"] for one in each])
        rows.append(
            Row(
                f"{count} mailboxes at once",
                rate,
                (rate.median / alone,),
                f"slowest drain {spread:.2f} of the median",
            )
        )
    return Table(
        f"4 messages each, {ROUND_TRIP} ms round trip", "messages/s", tuple(rows), ("one alone",)
    )


def cold_waits(times: int) -> list[dict[str, float]]:
    """Send the first message of mailboxes that the process never served."""
    from local.host import process

    with stack.outside(ROUND_TRIP) as (storage, standins, told):
        port = int(told["PUBLIC_URL"].rpartition(":")[2])
        with process.running(told, port=port) as host:
            accounts = stack.Stack(storage, standins, host, told).accounts(times + 1)
        standins.entra.slow(TOKEN_MS / 1000)
        with process.running(told, port=port) as host:
            running = stack.Stack(storage, standins, host, told)
            _wait(running, accounts[0])
            return [
                {"whole": _wait(running, one), "unavoidable": TOKEN_MS / 1000 + _dialogue(told)}
                for one in accounts[1:]
            ]


def _wait(running: stack.Stack, account: str) -> float:
    began = time.perf_counter()
    answer = running.api.post(f"/accounts/{account}/messages", stack.invoice(), prefer="wait=20")
    took = time.perf_counter() - began
    if answer.status != 200 or answer.json["status"] != "sent":
        raise RuntimeError(answer.text)
    return took


def _dialogue(told: Mapping[str, str]) -> float:
    """Time one message from connect to 250 with the submission module alone."""
    from shared.microsoft.smtp import Envelope
    from shared.microsoft.submission import Server
    from shared.secrecy import Secret

    content = b"Subject: Faktura\r\n\r\n" + b"x" * 76 * 130 + b"\r\n"
    content = content[:10_000] + b"\r\n"
    tls = ssl.create_default_context(cafile=told["SSL_CERT_FILE"])
    server = Server(told["SMTP_HOST"], int(told["SMTP_PORT"]), tls)
    began = time.perf_counter()
    session = server.open("kari@firma.no", lambda: Secret("token." * 300))
    session.submit(Envelope("kari@firma.no", ("ola@kunde.no",), len(content)), content)
    took = time.perf_counter() - began
    session.close()
    return took


def drain(messages: int = 20, delay: float = 20) -> dict[str, Any]:
    """Drain one mailbox, its token and session known; by kind of call to the store."""
    with stack.outside(delay) as (_, standins, told):
        os.environ.update(told)
        mailboxes, upkeep = inside.watch("mailboxes"), inside.watch("upkeep")
        office = inside.office(standins)
        account = office.open_account()
        inside.post(office, account, 1)
        office.drain(account)
        office.clock.turn(minutes=2)
        inside.post(office, account, messages)
        for table in (mailboxes, upkeep):
            table.seconds.clear()
        cpu, began = time.process_time(), time.perf_counter()
        office.drain(account)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        calls = {
            kind: {"calls": len(values), "ms": sum(values) * 1000}
            for table in (mailboxes, upkeep)
            for kind, values in table.seconds.items()
        }
        return {"seconds": seconds, "cpu": cpu, "calls": calls}


def at_once(mailboxes: int = 16, messages: int = 4, delay: float = 20) -> dict[str, float]:
    """Drain many mailboxes at the same moment; how long each drain took, the slowest last."""
    with stack.outside(delay) as (_, standins, told):
        os.environ.update(told)
        office = inside.office(standins)
        from shared import wiring

        accounts = [office.open_account() for _ in range(mailboxes)]
        for account in accounts:
            inside.post(office, account, messages)
        took: list[float] = []
        start = threading.Barrier(mailboxes + 1)

        def work(account: "Account") -> None:
            start.wait()
            began = time.perf_counter()
            office.drain(account)
            took.append(time.perf_counter() - began)

        threads = [threading.Thread(target=work, args=(one,)) for one in accounts]
        for thread in threads:
            thread.start()
        start.wait()
        began = time.perf_counter()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        left = sum(wiring.messages().waiting(account.id) for account in accounts)
        return {
            "rate": mailboxes * messages / seconds,
            "median": statistics.median(took),
            "longest": max(took),
            "left": left,
        }
