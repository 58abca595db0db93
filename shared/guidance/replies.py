"""What a reply of the submission server means: by stage, code and enhanced code (RFC 3463).

The server's prose is looked at only where it gives several refusals the same numbers.
"""

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.guidance.catalogue import Disposition, Guidance, for_code, source

_log = logging.getLogger(__name__)

_BEFORE_ANY_MESSAGE = frozenset({"connect", "starttls"})
_BEFORE_THE_MESSAGE = _BEFORE_ANY_MESSAGE | {"auth"}

type _Numbers = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One way to meet a row; what is None or empty matches anything."""

    row: str
    stages: frozenset[str]
    code: int | None
    enhanced: tuple[_Numbers, _Numbers] | None
    text: str

    def fits(self, code: int, numbers: _Numbers | None, text: str) -> bool:
        """Tell whether everything but the stage and the exact code fits."""
        return (
            (self.code is None or self.code // 100 == code // 100)
            and (self.enhanced is None or _within(numbers, self.enhanced))
            and self.text in text
        )

    def is_met(self, stage: str, code: int) -> bool:
        """Tell whether the stage and the code are the row's own."""
        return self.code in (None, code) and (not self.stages or stage in self.stages)

    def rank(self, stage: str, code: int) -> tuple[bool, bool, bool, bool]:
        """Tell how much of the reply this pattern speaks of; the greatest wins."""
        return (
            self.enhanced is not None,
            bool(self.text),
            self.code == code,
            stage in self.stages,
        )


def for_reply(stage: str, code: int, enhanced: str | None, text: str) -> Guidance:
    """Return the row for a reply met at *stage* (a ``Phase`` of ``shared.microsoft.submission``).

    A reply that no row names is taken for its nearest relation: the same enhanced code under
    another stage or code of the same class, else the class of the first digit (RFC 5321 section
    4.2.1); that is logged as ``event=unknown_reply``. Before MAIL nothing is wrong with any
    message, so no row that fails one is chosen there.
    """
    numbers, words = _numbers(enhanced), text.casefold()
    fitting = [one for one in _patterns() if one.fits(code, numbers, words)]
    if stage in _BEFORE_THE_MESSAGE:
        fitting = [one for one in fitting if not _fails(one.row)]
    own = [one for one in fitting if one.is_met(stage, code)]
    if own:
        return for_code(max(own, key=lambda one: one.rank(stage, code)).row)
    near = [one for one in fitting if one.enhanced is not None]
    row = max(near, key=lambda one: one.rank(stage, code)).row if near else _by_class(stage, code)
    _log.warning(
        "event=unknown_reply stage=%s code=%d enhanced=%s taken_as=%s", stage, code, enhanced, row
    )
    return for_code(row)


def _by_class(stage: str, code: int) -> str:
    match code // 100:
        case 4:
            return "unknown-temporary-reply"
        case 5 if stage in _BEFORE_ANY_MESSAGE:
            return "unknown-connection-reply"
        case 5 if stage == "auth":
            return "unknown-sign-in-reply"
        case 5:
            return "unknown-permanent-reply"
        case _:
            return "smtp-out-of-step"


def _fails(row: str) -> bool:
    return for_code(row).disposition is Disposition.FAIL


@functools.cache
def _patterns() -> tuple[_Pattern, ...]:
    rows = source("smtp.toml").items()
    return tuple(_pattern(code, one) for code, row in rows for one in row.get("replies", ()))


def _pattern(row: str, one: Mapping[str, Any]) -> _Pattern:
    return _Pattern(
        row=row,
        stages=frozenset(one.get("at", ())),
        code=one.get("code"),
        enhanced=_range(one["enhanced"]) if "enhanced" in one else None,
        text=one.get("text", "").casefold(),
    )


def _range(written: str) -> tuple[_Numbers, _Numbers]:
    """Read ``5.7.139``, or ``5.7.900-999`` for all codes from the first to the last detail."""
    first, _, last = written.partition("-")
    low = _numbers(first)
    if low is None:
        raise ValueError(f"{written} is no enhanced code")
    return low, (low[0], low[1], int(last or low[2]))


def _within(numbers: _Numbers | None, span: tuple[_Numbers, _Numbers]) -> bool:
    return numbers is not None and span[0] <= numbers <= span[1]


def _numbers(enhanced: str | None) -> _Numbers | None:
    """Read an enhanced code (RFC 3463 section 2), or None when it is none."""
    parts = (enhanced or "").split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    if any(len(part) > 3 for part in parts):
        return None
    status, subject, detail = (int(part) for part in parts)
    return status, subject, detail
