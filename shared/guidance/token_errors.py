"""What an error of Entra's means: ``error`` decides, AADSTS numbers choose the words.

Microsoft changes numbers and prose without notice; what lasts is ``error`` (RFC 6749 section 5.2).
So a number never turns a fault of ours, or one that passes, into one of the customer's.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from shared.guidance.catalogue import Disposition, Guidance, for_code, source

_log = logging.getLogger(__name__)

_DECIDED: Mapping[str, Disposition] = {
    "invalid_client": Disposition.OUTAGE,
    "invalid_request": Disposition.OUTAGE,
    "invalid_scope": Disposition.OUTAGE,
    "server_error": Disposition.RETRY,
    "temporarily_unavailable": Disposition.RETRY,
}
"""Errors that say by themselves what becomes of the mail; a number cannot overrule them."""


def for_token_error(
    error: str,
    *,
    suberror: str | None = None,
    codes: Sequence[int] = (),
    http_status: int = 400,
    subcode: str | None = None,
) -> Guidance:
    """Return the row for an error response of the authorization or the token endpoint.

    *error* may be ``unreachable`` when no answer came. *subcode* is the redirect's
    ``error_subcode``. What no row names is decided by *error* and logged as
    ``event=unknown_reply``.
    """
    error, suberror = error.lower(), (suberror or "").lower()
    if http_status == 429 or http_status >= 500 or error == "unreachable":
        return for_code("microsoft-throttled" if http_status == 429 else "microsoft-unavailable")
    for number in codes:
        for row in _by_number().get(number, ()):
            if _accepts(row, error):
                return for_code(row)
    for member, value in (("suberrors", suberror), ("subcodes", (subcode or "").lower())):
        named = _named(member).get(value)
        if named and _accepts(named, error):
            return for_code(named)
    row = _named("answers_for").get(error, "unknown-token-error")
    if codes or suberror or row == "unknown-token-error":
        _log.warning(
            "event=unknown_reply stage=token code=%s enhanced=%s taken_as=%s",
            _plain(error),
            ",".join(str(number) for number in codes) or _plain(suberror),
            row,
        )
    return for_code(row)


def _plain(text: str) -> str:
    """Keep of a stranger's word what an error name may hold, so that it forges no log line."""
    return "".join(sign for sign in text[:40] if sign.isalnum() or sign == "_")


def _accepts(row: str, error: str) -> bool:
    decided = _DECIDED.get(error)
    return decided is None or for_code(row).disposition is decided


@functools.cache
def _by_number() -> Mapping[int, tuple[str, ...]]:
    """Return row codes by AADSTS number; one number may mean different things under two errors."""
    rows: Mapping[str, Mapping[str, Any]] = source("entra.toml")
    found: dict[int, tuple[str, ...]] = {}
    for row, entry in rows.items():
        for number in entry.get("aadsts", ()):
            found[number] = (*found.get(number, ()), row)
    return found


@functools.cache
def _named(member: str) -> Mapping[str, str]:
    """Return row codes by each value of the list *member*."""
    rows = source("entra.toml").items()
    return {value: row for row, entry in rows for value in entry.get(member, ())}
