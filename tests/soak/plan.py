"""The plan of a soak: how much mail by when, which fault at which moment, all from one seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

DROPS = (
    ("connect", 2),
    ("auth", 1),
    ("mail", 2),
    ("rcpt", 2),
    ("data", 2),
    ("content-begin", 2),
    ("content-half", 2),
    ("content-end-before-store", 2),
    ("content-end-after-store", 2),
)
REPLIES = (
    ("greeting", "421 4.3.2 Service not available"),
    ("auth", "535 5.7.3 Authentication unsuccessful"),
    ("auth", "454 4.7.0 Temporary authentication failure"),
    ("mail", "421 4.4.1 Connection timed out. Total session duration: 00:20:55"),
    ("mail", "451 4.3.2 Temporary server error. Please try again later. ATTR17"),
    ("rcpt", "452 4.5.3 Too many recipients"),
    ("rcpt", "452 4.5.3 Too many recipients"),
    ("rcpt", "550 5.1.10 Recipient not found"),
    ("content", "421 4.4.2 Connection dropped"),
    ("content", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"),
    ("content", "451 4.3.111 Temporary server error. MRH1"),
    ("content", "452 4.3.1 Insufficient system resources"),
    ("content", "550 5.6.11 Invalid characters"),
)
BACK_ON = 100.0
"""By this second SMTP AUTH is on again for mailboxes that come back by being looked at again."""


class Deed(StrEnum):
    """What is done at a moment of the plan."""

    CUT = "cut"
    SAY = "say"
    CLOSE_SESSIONS = "close-sessions"
    ENTRA = "entra"
    VAULT = "vault"
    BRIEF_TOKENS = "brief-tokens"
    STORAGE = "storage"
    KILL = "kill"
    SWITCH_OFF = "switch-off"
    SWITCH_ON = "switch-on"
    REVOKE = "revoke"
    RECONNECT = "reconnect"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One moment (seconds from the first post): the *deed*, its kind, and the mailbox or host."""

    at: float
    deed: Deed
    kind: str = ""
    whom: int = 0


@dataclass(slots=True)
class Post:
    """One message as its sender means it, and what its sender was told of it."""

    at: float
    mailbox: int
    number: int
    to: tuple[str, ...]
    resend: bool
    twin: bool
    cancels: bool
    ids: set[str]
    cancelled: bool = False

    @property
    def key(self) -> str:
        """Its idempotency key, which is its subject too."""
        return f"{self.mailbox}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """*breaking* and *within* are seconds: of faults, and until all must have ended."""

    mailboxes: int = 200
    messages: int = 30
    breaking: float = 400
    within: float = 800
    kills: int = 8
    seed: int = 1

    @property
    def total(self) -> int:
        """How many messages there are."""
        return self.mailboxes * self.messages

    @property
    def loading(self) -> float:
        """For how many seconds messages are posted."""
        return self.breaking * 0.8

    def posts(self) -> list[list[Post]]:
        """What each mailbox is asked to send: a third of them in one go, the others over time."""
        chance = random.Random(f"posts {self.seed}")
        planned = []
        for mailbox in range(self.mailboxes):
            moments = [chance.uniform(0, self.loading) for _ in range(self.messages)]
            if chance.random() < 1 / 3:
                moments = [moments[0] / 2] * self.messages
            planned.append([self._post(chance, mailbox, *at) for at in enumerate(sorted(moments))])
        return planned

    def faults(self) -> list[Fault]:
        """Everything that goes wrong, in order."""
        chance = random.Random(f"faults {self.seed}")
        planned = [
            *self._of_exchange(chance),
            *self._of_services(chance),
            *self._of_hosts(chance),
            *self._of_people(chance),
        ]
        return sorted(planned)

    def _post(self, chance: random.Random, mailbox: int, number: int, at: float) -> Post:
        resend, twin, cancels, pair = (chance.random() < part for part in (0.15, 0.04, 0.03, 0.3))
        to = ("ola@kunde.no", "siri@kunde.no")[: 1 + pair]
        return Post(at, mailbox, number, to, resend, twin, cancels, set())

    def _of_exchange(self, chance: random.Random) -> Iterator[Fault]:
        stages = [stage for stage, weight in DROPS for _ in range(weight)]
        for _ in range(max(self.total // 20, 9)):
            yield Fault(chance.uniform(0, self.breaking), Deed.CUT, chance.choice(stages))
        for _ in range(max(self.total // 30, 6)):
            kind = "|".join(chance.choice(REPLIES))
            yield Fault(chance.uniform(0, self.breaking), Deed.SAY, kind)
        for _ in range(3):
            yield Fault(chance.uniform(0, self.breaking), Deed.CLOSE_SESSIONS)

    def _of_services(self, chance: random.Random) -> Iterator[Fault]:
        kinds = ("throttled", "unavailable", "dropped")
        at = 0.0
        while (at := at + chance.uniform(1, 4)) < self.breaking:
            deed = chance.choice((Deed.ENTRA, Deed.VAULT, Deed.STORAGE))
            yield Fault(at, deed, chance.choice(kinds))
        for part in (0.3, 0.6):
            yield Fault(part * self.breaking, Deed.BRIEF_TOKENS)

    def _of_hosts(self, chance: random.Random) -> Iterator[Fault]:
        for number in range(self.kills):
            share = (number + chance.uniform(0.3, 0.9)) / self.kills
            yield Fault(share * self.loading, Deed.KILL, whom=chance.randrange(2))

    def _of_people(self, chance: random.Random) -> Iterator[Fault]:
        """Admins switch SMTP off and on again; owners lose their grant and give it anew."""
        for mailbox in self._troubled()[1::2]:
            yield Fault(chance.uniform(0, self.breaking / 2), Deed.REVOKE, whom=mailbox)
            end = self.breaking * chance.uniform(0.75, 0.95)
            yield Fault(end, Deed.RECONNECT, whom=mailbox)
        for mailbox in self._troubled()[::2]:
            end = BACK_ON if mailbox in self.unattended() else self.breaking
            yield Fault(chance.uniform(0, end / 2), Deed.SWITCH_OFF, whom=mailbox)
            yield Fault(end * chance.uniform(0.75, 0.95), Deed.SWITCH_ON, whom=mailbox)

    def _troubled(self) -> list[int]:
        """The mailboxes that need somebody for a while."""
        chance = random.Random(f"troubled {self.seed}")
        return chance.sample(range(self.mailboxes), max(self.mailboxes // 10, 2))

    def unattended(self) -> set[int]:
        """The mailboxes that nobody looks after: mail that was held there leaves by itself."""
        return set(self._troubled()[::4]) if self.breaking >= 3 * BACK_ON else set()
