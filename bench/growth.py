"""Growth: what things cost at 10 and at 100,000 messages of a mailbox, accounts of a customer."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench import inside, stack
from bench.result import Goal, Options, Result, Row, Sample, Table
from local import azurite
from local.azurite import Azurite

if TYPE_CHECKING:
    from local.standins import Stack as StandIns
    from shared.accounts.account import Account
    from tests.delivery.post_office import PostOffice

SMALL, LARGE = 10, 100_000
SAVED_AFTER = 8
"""Seconds until Azurite has surely written its database file: it does so every five."""
SERVICES = ("blob", "queue", "table")
NOTE = """Calls to the store are counted; times are wall times, the sizes taken in turn within one
round. The bare calls go to the same partition without our code: what they grow by is Azurite's,
which goes through rows that a list does not return, and what ours grow by beyond that would be
ours."""


def run(options: Options) -> Result:
    """Measure everything at both sizes."""
    large = 2_000 if options.quick else LARGE
    found = inside.ask(costs, sizes=[SMALL, large], times=options.rounds(15))
    few, many = (
        {one["what"]: one for one in found if one["size"] == size} for size in (SMALL, large)
    )
    slower = {what: _median(many[what]) / _median(few[what]) for what in few}
    ours = [what for what in few if not what.startswith("bare")]
    bare = max(ratio for what, ratio in slower.items() if what.startswith("bare"))
    more = [what for what in ours if many[what]["calls"] != few[what]["calls"]]
    return Result(
        title=f"Growth: {SMALL} and {large:,} messages and accounts",
        command='make bench ARGS="growth"',
        tables=(
            Table(
                f"with {large:,}",
                "ms",
                tuple(
                    Row(what, Sample.of(many[what]["ms"]), (slower[what],), _calls(many[what]))
                    for what in few
                ),
                (f"with {SMALL}",),
            ),
        ),
        goals=(
            Goal("calls to the store: the same", ", ".join(more) or "all the same", not more),
            Goal.at_most(
                f"time with {large:,} beside {SMALL}, the worst of them",
                round(max(1.5, 1.25 * bare), 2),
                max(slower[what] for what in ours),
            ),
        ),
        notes=(NOTE,),
    )


def _median(one: dict[str, Any]) -> float:
    return Sample.of(one["ms"]).median


def _calls(one: dict[str, Any]) -> str:
    return f"{' or '.join(map(str, one['calls']))} calls"


type Measured = list[dict[str, Any]]


def costs(sizes: Sequence[int], times: int) -> Measured:
    """Have each size in a mailbox and at a customer of its own, then measure them in turn."""
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        stack.outside(location=Path(folder)) as (storage, standins, told),
    ):
        os.environ.update(told)
        tables = (inside.watch("mailboxes"), inside.watch("customers"))
        parties = {size: _party(standins, size) for size in sizes}
        with _seeded(storage, Path(folder), list(parties.values())):
            actions = {size: _actions(one.office, one.account) for size, one in parties.items()}
            return _measured(actions, tables, times)


@dataclass(frozen=True, slots=True)
class Party:
    """A customer with one mailbox in use, and how much history and company that is to have."""

    office: "PostOffice"
    account: "Account"
    size: int


def _party(standins: "StandIns", size: int) -> Party:
    """Open an account that has sent one message, and enough others for a page."""
    from shared import wiring
    from shared.identifiers import new_identifier

    office = inside.office(standins, f"firma-{size}")
    account = office.open_account()
    inside.post(office, account, 1)
    office.drain(account)
    for number in range(9):
        other = new_identifier(office.clock() + timedelta(milliseconds=number))
        wiring.accounts().create(replace(account, id=other))
        wiring.customers().add(office.customer, other)
    return Party(office, account, size)


@contextmanager
def _seeded(storage: Azurite, folder: Path, parties: Sequence[Party]) -> Iterator[None]:
    """Stop Azurite, multiply the rows in its database file, and run it at the same ports.

    Through its interface a row takes the longer the more there are: seeding these did not end in
    nine minutes.
    """
    ports = [urlsplit(getattr(storage, f"{one}_endpoint")).port or 0 for one in SERVICES]
    time.sleep(SAVED_AFTER)
    storage.process.kill()  # asked to end it would wait for its clients, who stay
    storage.process.wait()
    path = folder / "__azurite_db_table__.json"
    database = json.loads(path.read_text(encoding="utf-8"))
    tables = {one["name"].partition("$")[2]: one for one in database["collections"]}
    for party in parties:
        partition = party.office.customer.encode().hex()
        _multiply(tables["mailboxes"], party.account.id, "message:", _messages(party))
        _multiply(tables["customers"], partition, party.account.id, _accounts(party))
    path.write_text(json.dumps(database), encoding="utf-8")
    blob, queue, table = ports
    with azurite.running(location=folder, ports=(blob, queue, table)):
        yield


def _multiply(table: dict[str, Any], partition: str, beginning: str, keys: list[str]) -> None:
    """Copy the row of *partition* whose key has that *beginning* to all *keys*."""
    model = next(
        row
        for row in table["data"]
        if row["PartitionKey"] == partition and row["RowKey"].startswith(beginning)
    )
    for number, key in enumerate(keys, table["maxId"] + 1):
        properties = {**model["properties"], "RowKey": key}
        table["data"].append({**model, "RowKey": key, "properties": properties, "$loki": number})
    table["maxId"] += len(keys)
    for index in table["binaryIndices"].values():
        index["dirty"] = True  # made anew when first used


def _messages(party: Party) -> list[str]:
    """Name records older than any there is."""
    from shared.identifiers import new_identifier
    from shared.store.rows import message_key

    first = party.office.clock() - timedelta(days=60)
    moments = (first + timedelta(seconds=number) for number in range(party.size))
    return [message_key(new_identifier(moment)) for moment in moments]


def _accounts(party: Party) -> list[str]:
    """Name accounts younger than any there is; a first page shows those that are real."""
    from shared.identifiers import new_identifier

    first = party.office.clock() + timedelta(minutes=1)
    moments = (first + timedelta(milliseconds=number) for number in range(party.size))
    return [new_identifier(moment) for moment in moments]


def _measured(
    actions: dict[int, dict[str, Callable[[], object]]],
    tables: Sequence[inside.Watched],
    times: int,
) -> Measured:
    calls: dict[tuple[int, str], set[int]] = defaultdict(set)
    took: dict[tuple[int, str], list[float]] = defaultdict(list)
    kinds = [(size, what) for size in actions for what in actions[size]]
    for number in range(times + 1):
        for kind in kinds:
            size, what = kind
            before, began = sum(each.count for each in tables), time.perf_counter()
            actions[size][what]()
            if number:  # the first opens connections and puts the mailbox on the agenda
                took[kind].append((time.perf_counter() - began) * 1000)
                calls[kind].add(sum(each.count for each in tables) - before)
    return [
        {"size": size, "what": what, "calls": sorted(calls[size, what]), "ms": took[size, what]}
        for size, what in kinds
    ]


def _actions(office: "PostOffice", account: "Account") -> dict[str, Callable[[], object]]:
    """Return everything whose cost must not grow, and the bare calls beside it."""
    from shared import wiring
    from shared.store.table import Kind, Write

    table, messages = wiring._table("mailboxes"), wiring.messages()  # noqa: SLF001
    customer, mailbox = office.customer, account.id
    (known,) = messages.records(mailbox, after="", limit=1)
    four = [Write(Kind.UPSERT, f"bench:{n}", {"n": n}) for n in range(4)]

    def drain() -> None:
        office.clock.turn(minutes=1)
        office.drain(account)

    def open_another() -> None:
        body = {"type": "office365", "username": "ny@firma.no"}
        wiring.register().open(wiring.register().draft(customer, body, office.clock()))

    def page_of_accounts() -> None:
        for one in wiring.register().page(customer, after="", limit=9)[0]:
            messages.waiting(one.id)

    return {
        "accept a message": lambda: inside.post(office, account, 1),
        "deliver it": drain,
        "GET a message": lambda: messages.record(mailbox, known.id),
        "GET a page of messages": lambda: messages.records(mailbox, after=known.id, limit=10),
        "GET the account": lambda: (wiring.accounts().get(mailbox), messages.waiting(mailbox)),
        "GET a page of accounts": page_of_accounts,
        "POST an account": open_another,
        "bare read": lambda: table.get(mailbox, "lease"),
        "bare list": lambda: table.range(mailbox, "message:", "message;", limit=10),
        "bare transaction of 4": lambda: table.commit(mailbox, four),
    }
