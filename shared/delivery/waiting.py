"""Waiting: a caller who prefers to see the end of a message drains its mailbox and looks on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for_any
from typing import Protocol

from shared.messages.accept import Accepted
from shared.messages.record import FINAL, Record
from shared.schedule import Sent

LOOK_EVERY = (0.1, 0.2, 0.4, 0.8)
"""Seconds between looks at a message that somebody else is sending; the last one repeats."""


class Messages(Protocol):
    """Where messages are looked up."""

    def record(self, account: str, message: str) -> Record | None:
        """Return a record."""


class Wakeups(Protocol):
    """Where a wake-up is called back."""

    def call_back(self, sent: Sent) -> None:
        """Take it back."""


class Waiting:
    """Drains and waits; drain and wake-up go on when the caller's time is over."""

    def __init__(
        self,
        *,
        messages: Messages,
        wakeups: Wakeups,
        drain: Callable[[str], None],
        threads: Executor,
    ) -> None:
        self._messages = messages
        self._wakeups = wakeups
        self._drain = drain
        self._threads = threads

    def until_final(
        self, accepted: Accepted, seconds: float, is_held: Callable[[Record], bool]
    ) -> Record:
        """Return the record once it is final or held, or as it is after *seconds*."""
        record = accepted.record
        if record.status in FINAL:
            return record
        end = time.monotonic() + seconds
        drained = self._threads.submit(self._drain, record.account_id)
        for look in self._looks(drained, end):
            record = self._messages.record(record.account_id, record.id) or record
            if record.status in FINAL or (look and is_held(record)):
                break
        if record.status in FINAL and accepted.wakeup and drained.done():
            self._wakeups.call_back(accepted.wakeup)
        return record

    def _looks(self, drained: Future[None], end: float) -> Iterator[bool]:
        """Yield, whenever it is time to look, whether the drain is over."""
        pauses = iter(LOOK_EVERY)
        pause = next(pauses)
        while (left := end - time.monotonic()) > 0:
            if not drained.done():
                wait_for_any([drained], timeout=min(left, 1.0))
            else:
                time.sleep(min(left, pause))
                pause = next(pauses, pause)
            yield drained.done()
