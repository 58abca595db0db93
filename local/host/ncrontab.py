"""Timer schedules: NCRONTAB, ``{second} {minute} {hour} {day} {month} {day-of-week}``, in UTC.

Unlike Unix cron, day and day-of-week must both fit. Five fields leave the seconds out (0).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day-of-week", 0, 6, DAYS),
)
YEARS_AHEAD = 9
"""29 February comes again within this many years."""


class ScheduleError(ValueError):
    """The expression cannot be read, or never fits."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer fires."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, time: datetime) -> datetime:
        """Find the first fitting second after *time*."""
        found = time.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        end = found.year + YEARS_AHEAD
        while found.year < end:
            if found.month not in self.months:
                found = _start_of_next_month(found)
            elif not self._fits_day(found):
                found = _start_of_next_day(found)
            elif found.hour not in self.hours:
                found = found.replace(minute=0, second=0) + timedelta(hours=1)
            elif found.minute not in self.minutes:
                found = found.replace(second=0) + timedelta(minutes=1)
            elif found.second not in self.seconds:
                found += timedelta(seconds=1)
            else:
                return found
        raise ScheduleError("the schedule never fits")

    def _fits_day(self, time: datetime) -> bool:
        return time.day in self.days and time.isoweekday() % 7 in self.weekdays


def parse(expression: str) -> Schedule:
    """Read an expression of six fields, or of five without seconds."""
    parts = expression.split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != 6:
        raise ScheduleError(f"{expression!r} is no schedule: it needs six fields")
    schedule = Schedule(*(_field(part, *field) for part, field in zip(parts, FIELDS, strict=True)))
    schedule.next_after(datetime(2024, 1, 1, tzinfo=UTC))  # refuses what never fits
    return schedule


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        try:
            start = low if first == "*" else _number(first, low, names)
            whole = first == "*" or bool(step)
            end = _number(last, low, names) if dash else high if whole else start
            stride = int(step) if step else 1
        except ValueError as error:
            raise ScheduleError(f"{text!r} is no {name}") from error
        if not low <= start <= end <= high or stride < 1:
            raise ScheduleError(f"{text!r} is no {name} ({low} to {high})")
        values.update(range(start, end + 1, stride))
    return frozenset(values)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text[:3].lower() in names:
        return names.index(text[:3].lower()) + low
    return int(text)


def _start_of_next_month(time: datetime) -> datetime:
    return _start_of_next_day(time.replace(day=28) + timedelta(days=4)).replace(day=1)


def _start_of_next_day(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0) + timedelta(days=1)
