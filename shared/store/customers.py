"""Which accounts a customer has: a partition per customer, a row per account, in order of age."""

from shared.store.table import Kind, RowMissingError, Table, Write


class Customers:
    """The index of accounts by customer. Raises ServiceError("storage-unavailable")."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, customer: str, account: str) -> None:
        """Note that *account* is *customer*'s."""
        self._table.commit(_partition(customer), [Write(Kind.UPSERT, account, {})])

    def remove(self, customer: str, account: str) -> None:
        """Forget that *account* is *customer*'s; forgetting twice is no fault."""
        try:
            self._table.commit(_partition(customer), [Write(Kind.DELETE, account, {})])
        except RowMissingError:
            return

    def accounts(self, customer: str, *, after: str, limit: int) -> list[str]:
        """Return up to *limit* ids of accounts that come after the id *after*."""
        rows = self._table.range(
            _partition(customer),
            f"{after}!" if after else "!",
            "~",
            limit=limit,
            select=["RowKey"],
        )
        return [row["RowKey"] for row in rows]


def _partition(customer: str) -> str:
    """Write *customer* so that every character is allowed in a key: UTF-8 in hexadecimal."""
    return customer.encode().hex()
