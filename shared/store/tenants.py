"""Tenants that Microsoft told to slow down: every mailbox of such a tenant waits until then.

A partition each, because every drain reads its tenant's and a partition has a limit.
"""

from datetime import datetime

from shared.store.rows import moment, stamp
from shared.store.table import Kind, Table, Write

_ROW = "pause"


class Tenants:
    """Pauses by tenant, in the ``upkeep`` table. Raises ServiceError("storage-unavailable")."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def pause(self, tenant: str, until: datetime, code: str) -> None:
        """Let every mailbox of *tenant* wait *until* then, because of the guidance row *code*."""
        values = {"until": stamp(until), "code": code}
        self._table.commit(_partition(tenant), [Write(Kind.UPSERT, _ROW, values)])

    def paused_until(self, tenant: str, now: datetime) -> datetime | None:
        """Return until when *tenant*'s mailboxes wait, or None."""
        found = self._table.get(_partition(tenant), _ROW)
        until = moment(found[0]["until"]) if found else None
        return until if until and until > now else None


def _partition(tenant: str) -> str:
    return f"tenant-{tenant.lower()}"
