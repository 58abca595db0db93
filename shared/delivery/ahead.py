"""Reading ahead: the next message is fetched while the present one is under way."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, Future

from shared.errors import ServiceError
from shared.messages.record import Record
from shared.store.outbox import Entry

type Loaded = tuple[Record | None, bytes | None]


class Ahead:
    """Loads messages by their outbox entries, one of them in advance."""

    def __init__(self, load: Callable[[str], Loaded], readers: Executor) -> None:
        self._load = load
        self._readers = readers
        self._next: tuple[str, Future[Loaded]] | None = None

    def start(self, entry: Entry | None) -> None:
        """Begin to load *entry* in the background; a message under way is left alone."""
        if entry and not entry.started:
            loading = self._readers.submit(self._load, entry.message)
            self._next = (entry.message, loading)

    def peek(self, entry: Entry) -> Loaded:
        """Return the message of *entry* if its loading was started and succeeded, and keep it."""
        if self._next and self._next[0] == entry.message:
            with contextlib.suppress(ServiceError):  # said when it is that message's turn
                return self._next[1].result()
        return None, None

    def take(self, entry: Entry) -> Loaded:
        """Return the record and the content of *entry*; None for what is gone."""
        ahead, self._next = self._next, None
        if ahead and ahead[0] == entry.message:
            return ahead[1].result()
        return self._load(entry.message)
