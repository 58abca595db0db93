"""The drain: whoever holds a mailbox's lease sends what is due, one message after the other.

Its promises: a message whose content may have left is never sent again by itself; what was not
handed over is tried again; what waits for somebody waits; and no wake-up is lost.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.delivery.crew import Crew
from shared.delivery.turn import Turn
from shared.errors import ServiceError
from shared.store.lease import RENEW_EVERY, Lease, LeaseLostError
from shared.store.leases import GRACE, LATER

_log = logging.getLogger(__name__)


def drain(crew: Crew, account: str) -> None:
    """Send what is due from the mailbox of *account*, unless somebody else is at it.

    Raises ServiceError("storage-unavailable"); whoever woke the mailbox then wakes it again.
    """

    def wake(at: datetime) -> None:
        crew.wakeups.send(account, at=at, now=crew.clock())

    lease = crew.leases.acquire(account, crew.clock(), wake)
    if not isinstance(lease, Lease):
        return
    turn = Turn(crew, lease)
    with _renewed(lease, crew.clock):
        try:
            while not turn.run():
                pass
        except LeaseLostError:
            _log.warning("event=drain_stopped account=%s reason=lease_lost", account)
            # By our own clock it may only be over: then nobody else took it, or is coming.
            wake(crew.clock() + GRACE + LATER)
        except ServiceError:
            turn.give_back()
            raise
        finally:
            turn.leave()


@contextmanager
def _renewed(
    lease: Lease, clock: Callable[[], datetime], every: timedelta = RENEW_EVERY
) -> Iterator[None]:
    """Renew *lease* in the background for as long as the block lasts."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(every.total_seconds()):
            try:
                lease.renew(clock())
            except LeaseLostError:
                return
            except Exception:  # noqa: BLE001 - a lease that cannot be renewed runs out, and that is seen
                _log.warning("event=lease_not_renewed account=%s", lease.account)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
