"""The catalogue: the rows of the TOML files beside this module, read once, at first use."""

import functools
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

_log = logging.getLogger(__name__)

_SOURCES = ("smtp.toml", "entra.toml", "problems.toml")


class Disposition(StrEnum):
    """What becomes of a message.

    ``RETRY`` later; ``HOLD`` until somebody acts; ``FAIL`` for good; ``REFRESH`` the access token
    and try once more, then hold; ``PACE_MAILBOX`` and ``PACE_TENANT`` pause without counting an
    attempt; ``OUTAGE`` is ours: retry, tell the operator, never blame the customer.
    """

    RETRY = "retry"
    HOLD = "hold"
    FAIL = "fail"
    REFRESH = "refresh"
    PACE_MAILBOX = "pace_mailbox"
    PACE_TENANT = "pace_tenant"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Words:
    """What happened and what *who* does next; templates with ``{placeholders}`` until filled."""

    title: str
    detail: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """One row: what an event means for the message and the account, who acts, and the words.

    *recheck*: it may end without the user connecting again. *pause*: how long to leave the mailbox
    or tenant alone; with ``RETRY`` the shortest sensible wait. *who* is ``caller``, ``user``,
    ``admin``, ``operator`` or ``nobody``; *status* the HTTP status. *words* are by language.
    *commands* are PowerShell lines for the admin, *link* a page to open; both are templates.
    """

    code: str
    disposition: Disposition | None
    recheck: bool
    pause: timedelta | None
    who: str
    status: int
    words: Mapping[str, Words]
    commands: tuple[str, ...] = ()
    link: str | None = None


def for_code(code: str) -> Guidance:
    """Return the row named *code*; an unknown one is a fault of ours, logged and explained so."""
    found = _rows().get(code)
    if found is None:
        _log.error("event=unknown_code code=%s", code)
        return _rows()["internal-error"]
    return found


def every_code() -> tuple[str, ...]:
    """Return the code of every row, sorted."""
    return tuple(sorted(_rows()))


@functools.cache
def source(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the raw rows of the file *name* beside this module."""
    with Path(__file__).with_name(name).open("rb") as file:
        return tomllib.load(file)


@functools.cache
def _rows() -> Mapping[str, Guidance]:
    return MappingProxyType(
        {code: _guidance(code, row) for name in _SOURCES for code, row in source(name).items()}
    )


def _guidance(code: str, row: Mapping[str, Any]) -> Guidance:
    commands: Sequence[str] = row.get("commands", ())
    return Guidance(
        code=code,
        disposition=Disposition(row["disposition"]) if "disposition" in row else None,
        recheck=row.get("recheck", False),
        pause=timedelta(seconds=row["pause"]) if "pause" in row else None,
        who=row["who"],
        status=row["status"],
        words=MappingProxyType({language: Words(**row[language]) for language in ("nb", "en")}),
        commands=tuple(commands),
        link=row.get("link"),
    )
