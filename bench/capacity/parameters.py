"""What the model is told: limits and prices by their sources, assumptions, and measured costs."""

import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

MEASURED = Path(__file__).parent / "costs.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What Microsoft grants, with our own settings within it."""

    messages_a_minute: int = 30
    """Exchange, per mailbox (Microsoft: message store throttling)."""
    pacing_window: float = 61
    """Ours: seconds in which we submit those (shared/delivery/pacing.py)."""
    recipients_a_day: int = 10_000
    """Exchange, per mailbox."""
    vault_reads: float = 400
    """Key Vault, a second: 4,000 in 10 s per vault."""
    storage_requests: float = 20_000
    """Storage account, a second; each entity of a transaction counted as one."""
    partition_entities: float = 2_000
    """One table partition, a second."""
    queue_messages: float = 2_000
    """One queue, a second."""
    maximum_instances: int = 100
    """Ours: instances per function group (infra/main.bicep)."""
    http_concurrency: int = 32
    """Ours: requests of one instance at a time (infra/main.bicep)."""
    batch: int = 16
    """Ours: wake-ups taken at once (host.json)."""
    threshold: int = 8
    """Ours: an instance takes more when so few or fewer are running (host.json)."""
    longest_poll: float = 2
    """Ours: seconds between looks at an empty queue (host.json)."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What could not be measured on one machine; change them with ``--set name=value``."""

    smtp_round_trip: float = 0.02
    """Seconds to Exchange and back."""
    exchange_seconds: float = 0.5
    """How long Exchange takes from a content's last byte to its 250."""
    token_seconds: float = 0.2
    """One refresh at Entra."""
    vault_seconds: float = 0.03
    """One read of Key Vault."""
    storage_seconds: float = 0.006
    """One table or queue request within the region."""
    caller_round_trip: float = 0.03
    """From the caller to the function app and back."""
    start_seconds: float = 3.0
    """From the decision to scale out until the new instance takes work; our part of it, the
    imports, is 0.5 s of that."""
    scale_every: float = 5.0
    """Seconds between two decisions to scale."""
    scale_step: int = 16
    """Instances added by one decision at most."""
    scale_counts_hidden: int = 1
    """Whether wake-ups that are not to be seen yet count once one is seen (1) or never (0)."""
    idle_seconds: float = 60.0
    """How long an instance without work stays."""
    token_life: float = 4200.0
    """Seconds an access token is used: Entra gives 60 to 90 minutes, we stop five before."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU in our worker; the sections accept and delivery keep what they measure.

    *connect_cpu* alone is an estimate: a TLS handshake and the dialogue around it.
    """

    accept_cpu: float = 0.006
    drain_cpu: float = 0.012
    message_cpu: float = 0.007
    wakeup_cpu: float = 0.002
    connect_cpu: float = 0.006
    measured: str = "defaults, not measured"

    def keep(self, path: Path = MEASURED, **measured: float) -> None:
        """Write these costs with some *measured* anew, and since when they hold."""
        when = datetime.now(UTC).strftime("measured by make bench, last on %Y-%m-%d")
        replace(self, measured=when, **measured).write(path)

    @classmethod
    def read(cls, path: Path = MEASURED) -> Self:
        """Return what the benchmarks measured last."""
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def write(self, path: Path = MEASURED) -> None:
        """Keep them for the next run of the model."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        path.write_text(json.dumps(values, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars. Those marked * are from memory of the price list, not confirmed."""

    gigabyte_second: float = 0.000026
    """Flex Consumption on demand."""
    million_executions: float = 0.40
    """*"""
    instance_gigabytes: float = 2.0
    """infra/modules/application.bicep"""
    vault_10k: float = 0.03
    queue_10k: float = 0.004
    """*"""
    table_10k: float = 0.00036
    """*"""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All of it."""

    limits: Limits
    assumptions: Assumptions
    costs: Costs
    prices: Prices

    @classmethod
    def default(cls) -> Self:
        """Return Microsoft's limits, the assumptions above and the costs measured last."""
        return cls(Limits(), Assumptions(), Costs.read(), Prices())

    def with_(self, **changes: float) -> Self:
        """Return these with some values changed, whichever group they are in."""
        left = dict(changes)
        groups = {}
        for group in fields(self):
            value = getattr(self, group.name)
            mine = {f.name: type(getattr(value, f.name)) for f in fields(value)}
            taken = {name: kind(left.pop(name)) for name, kind in mine.items() if name in left}
            groups[group.name] = replace(value, **taken)
        if left:
            raise ValueError(f"the model has no {', '.join(sorted(left))}")
        return type(self)(**groups)
