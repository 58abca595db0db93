"""Wake-ups: queue messages that carry an account's id and nothing else, and may come twice."""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient

from shared.errors import ServiceError
from shared.schedule import Sent

LONGEST = timedelta(days=6)
"""A queue message can hide for seven days; a later moment is reached by waking up on the way."""
FOREVER = -1


class Wakeups:
    """The queue of wake-ups and its poison queue, where only a bug sends them."""

    def __init__(self, queue: QueueClient, poison: QueueClient) -> None:
        self._queue = queue
        self._poison = poison

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake the mailbox *at* that moment or after ``LONGEST``, whichever comes first.

        Raises ServiceError("storage-unavailable").
        """
        delay = min(max(at - now, timedelta()), LONGEST).total_seconds()
        hidden = int(delay) + (delay > int(delay))

        def put() -> Sent:
            sent = self._queue.send_message(
                account, visibility_timeout=hidden, time_to_live=FOREVER
            )
            return Sent(sent.id, sent.pop_receipt or "")

        return _reached(self._queue, put)

    def call_back(self, sent: Sent) -> None:
        """Take back a wake-up that is not needed any more; one that came already does no harm."""
        with contextlib.suppress(AzureError):
            self._queue.delete_message(sent.id, sent.receipt)

    def count_poisoned(self) -> int:
        """Return how many wake-ups failed too often, about."""

        def count() -> int:
            return self._poison.get_queue_properties().approximate_message_count or 0

        return _reached(self._poison, count)

    def redrive(self, limit: int = 32) -> list[str]:
        """Send poisoned wake-ups again, *limit* at most; return the accounts they name.

        A wake-up is only a reminder to look, so that looking again is always safe.
        """

        def move() -> list[str]:
            moved = []
            for message in self._poison.receive_messages(max_messages=limit):
                self._queue.send_message(message.content, time_to_live=FOREVER)
                self._poison.delete_message(message)
                moved.append(message.content)
                if len(moved) >= limit:
                    break
            return moved

        return _reached(self._poison, move)

    def is_reachable(self) -> bool:
        """Tell whether the queue answers; raises nothing."""
        try:
            _reached(self._queue, self._queue.get_queue_properties)
        except ServiceError:
            return False
        return True


def _reached[T](queue: QueueClient, call: Callable[[], T]) -> T:
    """Make *call*; a queue that is not there yet is made, and the call made again."""
    try:
        try:
            return call()
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                queue.create_queue()
            return call()
    except AzureError as error:
        raise ServiceError("storage-unavailable", retry_after=5) from error
