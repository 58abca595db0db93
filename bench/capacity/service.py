"""The service as the model sees it: mailboxes, leases, wake-ups, instances, and what they cost.

It follows shared/delivery: a wake-up takes the mailbox's lease or leaves word on it, a drain reads
what is due, gets a token, opens a session, writes each message's beginning with the last one's
result, and gives the lease back unless word was left meanwhile.
"""

import math
import random
from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass, field

from bench.capacity.parameters import Parameters
from bench.capacity.simulation import Limit, Process, Server, Simulation

type Answer[T] = Generator[float, None, T]
"""A process that ends with an answer."""

LEASE = 66.0
"""A wake-up that meets a held lease has the mailbox woken again after this long, in seconds."""
KEPT = 20.0
TURN = 240.0
FIRST_DELAY, LONGEST_DELAY = 5.0, 1800.0
COLD_ROUND_TRIPS = 8
"""TCP, greeting, EHLO, STARTTLS, TLS 1.3, EHLO, AUTH and its second line."""
SWEEP, DAY = 3600.0, 86_400.0


@dataclass(slots=True)
class Mailbox:
    """One mailbox: what waits in it, and the state of its lease row."""

    due: deque[float] = field(default_factory=deque)
    held: bool = False
    wanted: bool = False
    rest_until: float = 0.0
    wake_at: float = 0.0
    rests: int = 0
    recent: deque[float] = field(default_factory=deque)
    watched_until: float = -DAY
    kept_by: "Instance | None" = None
    kept_until: float = 0.0
    sent_today: int = 0


class Instance:
    """One instance of a function group: a core, and what it remembers."""

    def __init__(self, simulation: Simulation) -> None:
        self.core = Server(simulation)
        self.running = 0
        self.tokens: dict[int, float] = {}
        self.billed = 0.0
        self.idle_since = simulation.now
        self._simulation = simulation
        self._active_since = 0.0

    def begin(self) -> None:
        """Count one more execution."""
        if self.running == 0:
            self._active_since = self._simulation.now
        self.running += 1

    def end(self) -> None:
        """Count one less; time is billed from 1 s on in steps of 100 ms."""
        self.running -= 1
        if self.running == 0:
            active = self._simulation.now - self._active_since
            self.billed += max(1.0, math.ceil(active * 10) / 10)
            self.idle_since = self._simulation.now


class Fleet:
    """The instances of one function group."""

    def __init__(self, name: str, maximum: int) -> None:
        self.name = name
        self.maximum = maximum
        self.instances: list[Instance] = []
        self.starting = 0
        self.most = 0
        self.capped_at: float | None = None
        self.billed_by_the_gone = 0.0
        self.cpu_by_the_gone = 0.0

    @property
    def billed(self) -> float:
        """Instance seconds to be paid for."""
        return self.billed_by_the_gone + sum(one.billed for one in self.instances)

    @property
    def cpu(self) -> float:
        """Seconds of work done by all cores."""
        return self.cpu_by_the_gone + sum(one.core.busy for one in self.instances)

    def drop(self, instance: Instance) -> None:
        """Let one go."""
        self.instances.remove(instance)
        self.billed_by_the_gone += instance.billed
        self.cpu_by_the_gone += instance.core.busy


class Service:
    """Everything together, with its tallies."""

    def __init__(self, parameters: Parameters, *, seed: int = 1) -> None:
        self.simulation = simulation = Simulation()
        self.random = random.Random(seed)
        self.p = parameters
        self.limits, self.assumed = parameters.limits, parameters.assumptions
        self.costs = parameters.costs
        self.mailboxes: dict[int, Mailbox] = {}
        self.queue: deque[int] = deque()
        self.http = Fleet("http", self.limits.maximum_instances)
        self.deliver = Fleet("function:deliver", self.limits.maximum_instances)
        self.storage = Limit(simulation, "storage account", self.limits.storage_requests)
        self.wakeups = Limit(simulation, "wake-up queue", self.limits.queue_messages)
        self.agenda = Limit(simulation, "agenda partition", self.limits.partition_entities)
        self.vault = Limit(simulation, "Key Vault reads", self.limits.vault_reads, window=10)
        self.store: Server | None = None
        """A one-threaded store in place of Azure's; for the check against a real run."""
        self.store_work = 0.0
        self.asking = 0
        """Requests that are answered now or wait for an instance."""
        self.hidden = 0
        """Wake-ups that are not to be seen yet, and those being followed."""
        self.outage: tuple[float, float] = (math.inf, math.inf)
        self.tally: Counter[str] = Counter()
        self.first: dict[str, float] = {}
        self.accepted: list[tuple[float, float]] = []
        """Moment of the 202 and seconds it took."""
        self.sent: list[tuple[float, float]] = []
        """Moment of Exchange's 250 and seconds since the 202."""
        self.open = 0
        """Callers that will still post; when they and the mail are done, all is."""

    # what things take

    def table(self, entities: float = 1) -> float:
        """One request to Table Storage."""
        self.tally["table"] += 1
        wait = self.storage.wait(entities)
        return wait + self._stored()

    def put(self) -> float:
        """One request to the queue that counts as a message."""
        self.tally["queue"] += 1
        return self.wakeups.wait() + self.storage.wait() + self._stored()

    def _stored(self) -> float:
        if self.store:
            return self.assumed.storage_seconds + self.store.time(self.store_work)
        return self.assumed.storage_seconds * self.random.uniform(0.7, 1.5)

    def hit(self, limit: str) -> None:
        """Note that *limit* stood in the way."""
        self.tally[limit] += 1
        self.first.setdefault(limit, self.simulation.now)

    # accepting

    def post(self, number: int, messages: int, *, after: float) -> None:
        """Let a caller post *messages* of one mailbox, the next after the answer to the last."""
        self.open += 1
        self.simulation.start(self._post(number, messages), after)

    def _post(self, number: int, messages: int) -> Process:
        for _ in range(messages):
            asked = self.simulation.now
            yield self.assumed.caller_round_trip / 2
            self.asking += 1
            while (instance := self._free_http()) is None:
                self.hit("HTTP instances busy")
                yield 0.25
            instance.begin()
            yield from self._accept(instance, number)
            self.asking -= 1
            instance.end()
            yield self.assumed.caller_round_trip / 2
            self.accepted.append((self.simulation.now, self.simulation.now - asked))
        self.open -= 1

    def _free_http(self) -> Instance | None:
        best = min(self.http.instances, key=lambda one: one.running, default=None)
        return best if best and best.running < self.limits.http_concurrency else None

    def _accept(self, instance: Instance, number: int) -> Process:
        self.tally["executions"] += 1
        now = self.simulation.now
        mailbox = self.mailboxes.setdefault(number, Mailbox())
        yield instance.core.time(self.costs.accept_cpu)
        yield self.table()
        if mailbox.watched_until < now + 300:
            tasks = 2 if mailbox.watched_until + DAY < now else 1
            mailbox.watched_until = now + SWEEP
            self.tally["sweeps"] += 1
            yield self.agenda.wait(tasks) + tasks * self.table()
        yield self.table(4)
        mailbox.due.append(self.simulation.now)
        yield self.put()
        self.queue.append(number)

    # delivering

    def wake(self, number: int, after: float) -> None:
        """Queue a wake-up that is seen after so many seconds."""
        self.wakeups.wait()
        self.tally["queue"] += 1
        self.hidden += 1
        self.simulation.call(lambda: self._seen(number), after)

    def _seen(self, number: int) -> None:
        self.hidden -= 1
        self.queue.append(number)

    def work(self, instance: Instance) -> Process:
        """Poll the queue on one instance for as long as it lives."""
        step = 0
        while self.is_busy and instance in self.deliver.instances:
            if self.queue and instance.running <= self.limits.threshold:
                self.tally["queue"] += 1
                yield self._stored()
                for _ in range(min(self.limits.batch, len(self.queue))):
                    instance.begin()
                    self.hidden += 1
                    self.simulation.start(self._deliver(instance, self.queue.popleft()))
                step = 0
            elif instance.running > self.limits.threshold:
                yield 0.02
            else:
                self.tally["queue"] += 1
                step += 1
                yield min(0.1 * 2**step, self.limits.longest_poll) * self.random.uniform(0.8, 1.2)

    def _deliver(self, instance: Instance, number: int) -> Process:
        self.tally["executions"] += 1
        yield instance.core.time(self.costs.wakeup_cpu)
        yield from self._drain(instance, number, self.mailboxes[number])
        yield self.put()  # the wake-up is deleted
        self.hidden -= 1
        instance.end()

    def _drain(self, instance: Instance, number: int, mailbox: Mailbox) -> Process:
        simulation = self.simulation
        yield self.table()
        now = simulation.now
        if mailbox.held:
            if not mailbox.wanted:
                mailbox.wanted = True
                yield self.table()
                self.wake(number, LEASE)
            return
        if now < mailbox.rest_until and now + 10 < mailbox.wake_at:
            return
        mailbox.held = True
        yield self.table()
        yield instance.core.time(self.costs.drain_cpu)
        end = now + TURN
        while True:
            mailbox.wanted = False
            back = yield from self._turn(instance, number, mailbox, end)
            if back is not None and not simulation.now < mailbox.wake_at <= back + 5:
                mailbox.wake_at = back
                self.wake(number, back - simulation.now)
            yield self.table(4)
            if not mailbox.wanted:
                break
        mailbox.held = False
        mailbox.kept_by, mailbox.kept_until = instance, simulation.now + KEPT

    def _turn(
        self, instance: Instance, number: int, mailbox: Mailbox, end: float
    ) -> Answer[float | None]:
        """Send what is due; return when to come back, None when nothing waits."""
        simulation = self.simulation
        yield self.table() + self.table()
        if simulation.now < mailbox.rest_until:
            return mailbox.rest_until
        yield self.table()
        connected = False
        while mailbox.due:
            if simulation.now > end:
                return simulation.now
            if (slot := self._slot(mailbox)) > simulation.now:
                mailbox.rest_until = slot
                return slot
            if not connected:
                if not (yield from self._connect(instance, number, mailbox)):
                    delay = min(FIRST_DELAY * 2**mailbox.rests, LONGEST_DELAY)
                    mailbox.rests += 1
                    mailbox.rest_until = simulation.now + delay * self.random.uniform(0.8, 1.2)
                    return mailbox.rest_until
                connected, mailbox.rests = True, 0
                # The first of a session is read before it is sent; the others while one is sent.
                yield self.table() + self.table() + self.assumed.smtp_round_trip
            yield from self._submit(instance, mailbox)
        return None

    def _slot(self, mailbox: Mailbox) -> float:
        now, recent = self.simulation.now, mailbox.recent
        while recent and recent[0] <= now - self.limits.pacing_window:
            recent.popleft()
        if mailbox.sent_today >= self.limits.recipients_a_day:
            self.hit("Exchange: recipients a day")
            return now + DAY
        if len(recent) < self.limits.messages_a_minute:
            return now
        self.hit("Exchange: messages a minute")
        return recent[-self.limits.messages_a_minute] + self.limits.pacing_window

    def _connect(self, instance: Instance, number: int, mailbox: Mailbox) -> Answer[bool]:
        now = self.simulation.now
        if mailbox.kept_by is instance and now < mailbox.kept_until:
            self.tally["sessions reused"] += 1
            return True
        if instance.tokens.get(number, 0) <= now:
            self.tally["vault"] += 1
            yield self.vault.wait() + self.assumed.vault_seconds
            self.tally["token calls"] += 1
            asked = self.simulation.now
            yield self.assumed.token_seconds
            if self.outage[0] <= asked < self.outage[1]:
                self.tally["token calls in vain"] += 1
                return False
            instance.tokens[number] = now + self.assumed.token_life
        self.tally["connections"] += 1
        yield instance.core.time(self.costs.connect_cpu)
        yield COLD_ROUND_TRIPS * self.assumed.smtp_round_trip
        return True

    def _submit(self, instance: Instance, mailbox: Mailbox) -> Process:
        mailbox.recent.append(self.simulation.now)
        mailbox.sent_today += 1
        yield instance.core.time(self.costs.message_cpu)
        yield self.table(7)  # its beginning, with the last one's result
        if len(mailbox.due) > 1:
            self.table()
            self.table()  # the next one is read meanwhile
        yield self.assumed.smtp_round_trip + self.assumed.exchange_seconds
        since = mailbox.due.popleft()
        self.sent.append((self.simulation.now, self.simulation.now - since))

    # scaling

    def scale(self) -> Process:
        """Decide, again and again, how many instances there are to be.

        The platform is thought to count what is in the queue, hidden or not, once one is seen.
        """
        while self.is_busy:
            self._scale(self.http, math.ceil(self.asking / self.limits.http_concurrency))
            counted = self.hidden * self.assumed.scale_counts_hidden
            waiting = len(self.queue) + counted if self.queue else 0
            self._scale(self.deliver, math.ceil(waiting / self.limits.batch))
            yield self.assumed.scale_every

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to come or to be done."""
        return bool(self.open or self.queue or len(self.accepted) > len(self.sent))

    def _scale(self, fleet: Fleet, wanted: int) -> None:
        now = self.simulation.now
        there = len(fleet.instances) + fleet.starting
        more = min(wanted, fleet.maximum) - there
        if wanted > fleet.maximum and fleet.capped_at is None:
            fleet.capped_at = now
            self.hit(f"maximum instances ({fleet.name})")
        for _ in range(min(more, self.assumed.scale_step)):
            fleet.starting += 1
            self.simulation.call(lambda: self._started(fleet), self.assumed.start_seconds)
        for one in list(fleet.instances):
            if one.running == 0 and now - one.idle_since > self.assumed.idle_seconds:
                fleet.drop(one)
        fleet.most = max(fleet.most, len(fleet.instances))

    def _started(self, fleet: Fleet) -> None:
        fleet.starting -= 1
        self.add_instance(fleet)

    def add_instance(self, fleet: Fleet) -> Instance:
        """Have one more instance, ready for work."""
        instance = Instance(self.simulation)
        fleet.instances.append(instance)
        fleet.most = max(fleet.most, len(fleet.instances))
        if fleet is self.deliver:
            self.simulation.start(self.work(instance))
        return instance
