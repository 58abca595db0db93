"""Results: what became of messages under one lease, told to those concerned once it is written."""

import logging
from datetime import datetime

from shared.accounts.account import Account
from shared.delivery.crew import Events, Messages
from shared.messages.record import MessageStatus, Record
from shared.store.lease import EntryGoneError, Lease
from shared.store.outbox import Entry

_log = logging.getLogger(__name__)


class Results:
    """Keeps results pending on the lease until the next write, and tells of them after it."""

    def __init__(self, lease: Lease, messages: Messages, events: Events) -> None:
        self._lease = lease
        self._messages = messages
        self._events = events
        self._untold: list[Record] = []

    def add(self, entry: Entry, record: Record, *, place: datetime | None = None) -> None:
        """Keep pending what became of *record*; a queued one moves to *place* if that is given."""
        self._lease.finish(entry, record, place=place)
        self._untold.append(record)

    def begin(self, entry: Entry, record: Record, account: Account, now: datetime) -> bool:
        """Write what is pending and that *record* is being sent; False if it is not there to send.

        Raises LeaseLostError.
        """
        begun = True
        try:
            self._lease.begin(entry, record, now)
        except EntryGoneError:
            begun = False
        self.tell(account)
        return begun

    def write(self, account: Account, now: datetime) -> None:
        """Write what is pending. Raises LeaseLostError."""
        self._lease.flush(now)
        self.tell(account)

    def tell(self, account: Account) -> None:
        """Do what had to wait until the results were written."""
        told, self._untold = self._untold, []
        for record in told:
            if record.id not in self._lease.settled:
                self._tell(account, record)

    def _tell(self, account: Account, record: Record) -> None:
        if record.status is MessageStatus.SENT:
            self._messages.drop_blob(record)
        if record.status is MessageStatus.UNCERTAIN:
            _log.error("event=message_uncertain account=%s message=%s", account.id, record.id)
        if record.status is not MessageStatus.QUEUED:
            self._events.message(account, record)
