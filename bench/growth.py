"""Growth: what things cost at 10 and at 100,000 messages of a mailbox, accounts of a customer."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench import inside, stack
from bench.result import Goal, Options, Result, Row, Sample, Table

if TYPE_CHECKING:
    from shared.accounts.account import Account
    from shared.store.table import Write
    from tests.delivery.post_office import PostOffice

SMALL, LARGE = 10, 100_000
NOTE = """Calls to the store are counted, times are wall times with Azurite in memory, the sizes
taken in turn within one round. The bare calls go to the same table and partition without our code:
what they get slower by is Azurite's."""


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
                max(1.5, 1.25 * bare),
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
    """Seed each size in a mailbox and at a customer of its own, then measure them in turn."""
    with stack.outside() as (_, standins, told):
        os.environ.update(told)
        tables = (inside.watch("mailboxes"), inside.watch("customers"))
        actions = {}
        for size in sizes:
            office = inside.office(standins, f"firma-{size}")
            account = office.open_account()
            _seed_history(office, account, size)
            _seed_accounts(office, account, size)
            actions[size] = _actions(office, account)
        return _measured(actions, tables, times)


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


def _seed_history(office: "PostOffice", account: "Account", size: int) -> None:
    """Put *size* sent messages into the mailbox, older than any to come."""
    from shared import wiring
    from shared.identifiers import new_identifier
    from shared.store.rows import message_key, record_properties
    from shared.store.table import Kind, Write

    inside.post(office, account, 1)
    office.drain(account)
    (model,) = wiring.messages().records(account.id, after="", limit=1)
    first = office.clock() - timedelta(days=60)
    rows = []
    for number in range(size):
        at = first + timedelta(seconds=number)
        record = replace(model, id=new_identifier(at), created_at=at)
        rows.append(Write(Kind.INSERT, message_key(record.id), record_properties(record)))
    _commit("mailboxes", account.id, rows)


def _seed_accounts(office: "PostOffice", account: "Account", size: int) -> None:
    """Put *size* more accounts into the customer's index; those of a first page are real."""
    from shared import wiring
    from shared.identifiers import new_identifier
    from shared.store.table import Kind, Write

    first = office.clock() + timedelta(seconds=1)
    ids = [new_identifier(first + timedelta(milliseconds=number)) for number in range(size)]
    rows = [Write(Kind.INSERT, one, {}) for one in ids]
    _commit("customers", office.customer.encode().hex(), rows)
    for one in ids[:9]:
        wiring.accounts().create(replace(account, id=one))


def _commit(table: str, partition: str, rows: "list[Write]") -> None:
    """Write *rows* in transactions of a hundred."""
    from shared import wiring

    store = wiring._table(table)  # noqa: SLF001
    chunks = [rows[at : at + 100] for at in range(0, len(rows), 100)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda chunk: store.commit(partition, chunk), chunks))


def _actions(office: "PostOffice", account: "Account") -> dict[str, Callable[[], object]]:
    """Return everything whose cost must not grow, and the bare calls beside it."""
    from shared import wiring
    from shared.store.table import Kind, Write

    table, messages = wiring._table("mailboxes"), wiring.messages()  # noqa: SLF001
    customer, mailbox = office.customer, account.id
    known = messages.records(mailbox, after="", limit=8)[-1]
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
