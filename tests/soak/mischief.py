"""Mischief: each deed of the plan done to the stand-ins, the storage, the hosts and the people."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.standins import Stack
from tests.breaking.storage_front import Fault as StorageFault
from tests.breaking.storage_front import StorageFront
from tests.client import Api
from tests.soak.callers import Callers
from tests.soak.hosts import Host
from tests.soak.plan import Deed, Fault

TOKEN_SECONDS = 345.0
"""How long access tokens live: the product stops using them five minutes before their end."""
STORAGE_RATE = 0.004
STORAGE_FAULTS = {
    "throttled": StorageFault.THROTTLED,
    "unavailable": StorageFault.BUSY,
    "dropped": StorageFault.LOST_REPLY,
}


@dataclass(slots=True, kw_only=True)
class Mischief:
    """Does what the plan says when it says it; *done* counts the deeds."""

    standins: Stack
    front: StorageFront
    hosts: Sequence[Host]
    callers: Callers
    accounts: Sequence[str]
    usernames: Sequence[str]
    api: Api
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    _aside: list[threading.Thread] = field(default_factory=list)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"mischief {self.seed}")

    def run(self, faults: Sequence[Fault], over: threading.Event) -> None:
        """Do all *faults* in their order, and then let everything be well again."""
        begin = time.monotonic()
        self.front.fail_randomly(STORAGE_RATE, self.seed)
        self.standins.entra.access_token_life(TOKEN_SECONDS)
        for fault in faults:
            if over.wait(max(0.0, begin + fault.at - time.monotonic())):
                break
            self.done[fault.deed.value] += 1
            self._do(fault)
        self.end()

    def end(self) -> None:
        """No more faults; what was switched off is on, and who died lives."""
        self.front.fail_randomly(0, self.seed)
        self.standins.entra.access_token_life(3600)
        self.standins.restore()
        for thread in self._aside:
            thread.join()
        self._aside.clear()

    def _do(self, fault: Fault) -> None:
        exchange, entra = self.standins.exchange, self.standins.entra
        match fault.deed:
            case Deed.CUT:
                exchange.drop_at(fault.kind)
            case Deed.SAY:
                stage, _, reply = fault.kind.partition("|")
                exchange.reply_next(stage, reply)
            case Deed.CLOSE_SESSIONS:
                exchange.close_sessions()
            case Deed.ENTRA:
                entra.fail_next(self._chance.randint(1, 3), fault.kind, "token", seconds=1)
            case Deed.VAULT:
                times = self._chance.randint(1, 4)
                self.standins.key_vault.fail_next(times, fault.kind, seconds=1)
            case Deed.BRIEF_TOKENS:
                self._be_brief()
            case Deed.STORAGE:
                times = self._chance.randint(1, 8)
                self.front.fail_next(STORAGE_FAULTS[fault.kind], times)
            case _:
                self._do_to_whom(fault)

    def _do_to_whom(self, fault: Fault) -> None:
        username = self.usernames[fault.whom]
        match fault.deed:
            case Deed.KILL:
                self._beside(self.hosts[fault.whom].die)
            case Deed.SWITCH_OFF | Deed.SWITCH_ON:
                on = fault.deed is Deed.SWITCH_ON
                self.standins.exchange.allow_smtp_auth(username, allowed=on)
            case Deed.REVOKE:
                self.standins.entra.revoke_sessions(username)
            case Deed.RECONNECT:
                self._beside(lambda: self._reconnect(fault.whom))

    def _be_brief(self) -> None:
        """For two seconds access tokens end as soon as they are given."""
        entra = self.standins.entra
        entra.access_token_life(0.01)
        usual = threading.Timer(2, entra.access_token_life, (TOKEN_SECONDS,))
        usual.start()
        self._aside.append(usual)

    def _beside(self, work: Callable[[], None]) -> None:
        def until_over() -> None:
            with contextlib.suppress(TimeoutError):
                work()

        thread = threading.Thread(target=until_over, daemon=True)
        thread.start()
        self._aside.append(thread)

    def _reconnect(self, mailbox: int) -> None:
        """The owner signs in again, until the account is connected."""
        path = f"/accounts/{self.accounts[mailbox]}"
        asked = datetime.now(UTC).isoformat()
        while self.callers.call("GET", path).json["connected_at"] < asked:
            link = self.callers.call("POST", f"{path}/connect").json["connect_url"]
            try:
                self.api.connect({"connect_url": link}, self.usernames[mailbox])
            except (OSError, AssertionError):
                time.sleep(1)
