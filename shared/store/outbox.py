"""The outbox: one line for each message still to be sent, in the order in which they are due."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.messages.record import Record
from shared.store.rows import Entity, moment, stamp


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the outbox: when a message is due, and whether a drain began to send it.

    *expires_at* is set where the sender of the message set it.
    """

    row: str
    due: datetime
    message: str
    started: bool
    expires_at: datetime | None


def outbox_values(record: Record) -> Entity:
    """Return what an outbox row holds beside its key."""
    return {"started": False, "expires_at": stamp(record.expires_at)}


def entry_of(row: Entity) -> Entry:
    """Read an outbox row."""
    _, due, message = row["RowKey"].split(":")
    return Entry(
        row["RowKey"],
        datetime.fromtimestamp(int(due) / 1000, UTC),
        message,
        row["started"],
        moment(row["expires_at"]),
    )
