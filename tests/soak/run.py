"""A soak from beginning to end: accounts, faults, calm, and the account given of it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from local.azurite import Azurite
from local.standins import Stack
from tests.breaking.storage_front import StorageFront
from tests.client import FRONTEND, Api
from tests.ports import free_port
from tests.soak.books import ENDS, Books, Check
from tests.soak.callers import Callers, Load
from tests.soak.hosts import Host
from tests.soak.mischief import Mischief
from tests.soak.plan import Plan

CUSTOMER = "firma"
DOMAINS = 20
SENDERS = 12
LARGEST = 512 * 1024 * 1024
"""The smallest instance that Flex Consumption offers has so many bytes."""
LIMITS = (
    "messages per minute",
    "connections per mailbox",
    "messages over the connection limit",
    "recipients per day",
)

type Say = Callable[[str], None]


class Soak:
    """One run of *plan*; ``run`` tells by *say* how it goes and returns what was checked."""

    def __init__(self, plan: Plan, say: Say, *, every: float = 5) -> None:
        self.plan = plan
        self._say = say
        self._every = every
        self._begin = time.monotonic()
        self._deadline = self._begin + plan.within
        self._usernames = [f"kari{n}@firma{n % DOMAINS}.no" for n in range(plan.mailboxes)]
        self._accounts: list[str] = []
        self._unfinished: set[int] = set(range(plan.mailboxes))
        self._phase = "setting up"
        self._over = threading.Event()
        self.checked_again: set[int] = set()

    def halt(self) -> None:
        """Let it end now, with the account of what it came to."""
        self._over.set()

    def run(self, standins: Stack, storage: Azurite) -> list[Check]:
        """Run it all; the stand-ins and the storage are running, clean, and trusted."""
        with ExitStack() as running:
            front = running.enter_context(StorageFront(storage))
            hosts = self._hosts(standins, front)
            for host in hosts:
                running.callback(host.stop)
                host.start()
            api = Api(hosts[0].url, standins, standins.issuer.mint, CUSTOMER)
            callers = Callers(
                api, hosts, seed=self.plan.seed, deadline=self._deadline, over=self._over
            )
            self._connect_all(api)
            load = Load(callers, self._accounts, posts := self.plan.posts())
            mischief = Mischief(
                standins=standins,
                front=front,
                hosts=hosts,
                callers=callers,
                accounts=self._accounts,
                usernames=self._usernames,
                api=api,
                seed=self.plan.seed,
            )
            with self._reporting(load, standins, hosts):
                self._break(load, mischief)
                self._await_the_end(callers)
            self._tell(mischief, front, hosts, callers)
            records = self._records(callers)
            delivered = [(one.message_id, one.rcpt_to) for one in standins.exchange.delivered]
            return [
                self._breaking(mischief, hosts),
                *Books(posts, records, delivered).checks(),
                *self._around(standins, storage, hosts, callers),
            ]

    # its parts

    def _hosts(self, standins: Stack, front: StorageFront) -> list[Host]:
        ports = [free_port(), free_port()]
        settings = standins.settings() | {
            "PUBLIC_URL": f"http://localhost:{ports[0]}",
            "ALLOWED_ORIGINS": FRONTEND,
            "AzureWebJobsStorage": front.connection_string,
        }
        return [Host(settings, port) for port in ports]

    def _connect_all(self, api: Api) -> None:
        for username in self._usernames:
            api.standins.entra.add_user(username)
        with ThreadPoolExecutor(4) as owners:
            accounts = list(owners.map(api.add_connected_account, self._usernames))
        self._accounts = [account["id"] for account in accounts]
        self._say(f"{self._clock()} {len(accounts)} mailboxes connected")

    def _break(self, load: Load, mischief: Mischief) -> None:
        self._phase = "breaking"
        faults = self.plan.faults()
        with ThreadPoolExecutor(1) as beside:
            doing = beside.submit(mischief.run, faults, self._over)
            try:
                load.run(min(SENDERS, self.plan.mailboxes))
                doing.result()
            except BaseException:
                self.halt()
                raise

    def _await_the_end(self, callers: Callers) -> None:
        """Look at every mailbox until its messages have come to an end, or the time is up."""
        self._phase = "calm"
        while self._unfinished and time.monotonic() < self._deadline:
            if self._over.is_set():
                return
            for mailbox in sorted(self._unfinished):
                if self._has_ended(callers, mailbox):
                    self._unfinished.discard(mailbox)
            time.sleep(2)

    def _has_ended(self, callers: Callers, mailbox: int) -> bool:
        path = f"/accounts/{self._accounts[mailbox]}"
        try:
            account = callers.call("GET", path).json
            if self._is_for_its_owner(account, mailbox):
                self.checked_again.add(mailbox)
                callers.call("POST", f"{path}/verify")  # the owner asks whether it works by now
            if account["waiting"]:
                return False
            return all(one["status"] in ENDS for one in _pages(callers, f"{path}/messages"))
        except TimeoutError:
            return False

    def _is_for_its_owner(self, account: Mapping[str, Any], mailbox: int) -> bool:
        """Tell whether somebody looks after it; what an admin undid may be found out alone."""
        problem = account["problem"] or {}
        undone = problem.get("code") == "smtp-auth-disabled-mailbox"
        left_alone = undone and mailbox in self.plan.unattended()
        return account["status"] == "action_required" and not left_alone

    def _records(self, callers: Callers) -> list[list[Mapping[str, Any]]]:
        callers.deadline, callers.over = time.monotonic() + 60, threading.Event()
        return [list(_pages(callers, f"/accounts/{one}/messages")) for one in self._accounts]

    # what it tells

    def _clock(self) -> str:
        return f"{time.monotonic() - self._begin:5.0f} s"

    def _reporting(self, load: Load, standins: Stack, hosts: Sequence[Host]) -> ExitStack:
        """Say how it stands every few seconds while the block lasts."""
        over = threading.Event()

        def report() -> None:
            while not over.wait(self._every):
                sizes = " ".join(f"{host.weigh() >> 20} MiB" for host in hosts)
                self._say(
                    f"{self._clock()} {self._phase}: {load.accepted}/{self.plan.total} accepted, "
                    f"{len(standins.exchange.delivered)} delivered, "
                    f"{len(self._unfinished)} mailboxes to go, "
                    f"{sum(host.kills for host in hosts)} kills, hosts {sizes}"
                )

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        stack = ExitStack()
        stack.callback(thread.join)
        stack.callback(over.set)
        return stack

    def _tell(
        self, mischief: Mischief, front: StorageFront, hosts: Sequence[Host], callers: Callers
    ) -> None:
        events = sum((host.events for host in hosts), Counter[str]())
        self._say(f"deeds: {_listed(mischief.done)}")
        self._say(f"storage: {len(front.calls)} calls, {_listed(front.faults)}")
        self._say(f"answers: {_listed(callers.statuses)}, {callers.unanswered} broken off")
        self._say(f"logged: {_listed(events)}")
        self._say(
            f"held mailboxes: {len(self.checked_again)} checked again by their owners, "
            f"{len(self.plan.unattended() - self._unfinished)} came back by themselves"
        )

    def _breaking(self, mischief: Mischief, hosts: Sequence[Host]) -> Check:
        """Check that things were broken as planned, or the rest would prove little."""
        planned, done = len(self.plan.faults()), sum(mischief.done.values())
        kills = sum(host.kills for host in hosts)
        holds = done == planned and kills == self.plan.kills
        return Check("it was broken as planned", holds, f"{done} of {planned}, {kills} kills")

    def _around(
        self, standins: Stack, storage: Azurite, hosts: Sequence[Host], callers: Callers
    ) -> Iterator[Check]:
        """Check what is not about messages."""
        unfinished = len(self._unfinished)
        yield Check(
            "all ended in time",
            not unfinished,
            f"{self._clock().strip()} of {self.plan.within:g} s, {unfinished} mailboxes to go",
        )
        breaches = standins.exchange.breaches()
        kept = ", ".join(f"{breaches.pop(limit, 0)} over {limit}" for limit in LIMITS)
        over = any(standins.exchange.breaches().get(limit) for limit in LIMITS)
        yield Check("Exchange's limits", not over, kept)
        yield Check("Exchange's rules", not breaches, f"{breaches or 'none broken'}")
        wrong = callers.faults
        yield Check("answers of the API", not wrong, f"{len(wrong)} wrong {wrong[:3] or ''}")
        poisoned = [line for host in hosts for line in host.poisoned]
        left = _waiting_in(storage, "wakeups-poison")
        figures = f"{left} in it, {len(poisoned)} went there"
        yield Check("poison queue", not (left or poisoned), figures)
        failures = [line for host in hosts for line in host.failures]
        shown = "".join(f"\n    {line[-3000:]}" for line in failures[:3])
        yield Check("errors without a name", not failures, f"{len(failures)}{shown}")
        peaks = [host.peak for host in hosts]
        figures = ", ".join(f"{peak >> 20} MiB" for peak in peaks)
        yield Check("memory of the hosts", 0 < max(peaks) < LARGEST, f"at most {figures}")


def _pages(callers: Callers, path: str) -> Iterator[Mapping[str, Any]]:
    cursor = ""
    while True:
        page = callers.call("GET", f"{path}?limit=100{cursor}").json
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"


def _waiting_in(storage: Azurite, queue: str) -> int:
    with QueueClient.from_connection_string(storage.connection_string, queue) as client:
        try:
            return client.get_queue_properties().approximate_message_count or 0
        except ResourceNotFoundError:
            return 0


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{times} {name}" for name, times in sorted(counts.items())) or "none"
