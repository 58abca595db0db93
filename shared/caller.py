"""Who calls, as a value: whose data may be seen, by whom it is asked for, and for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose data it is (*customer*), who asked as far as the token tells (*user*), what for."""

    customer: str
    user: str | None
    scopes: frozenset[str]
