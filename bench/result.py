"""What a benchmark found, as values: samples in tables, and goals reached or not."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for; *quick* runs are for development, never for quoting."""

    quick: bool = False

    def rounds(self, wanted: int) -> int:
        """Return how often to repeat what deserves *wanted* repetitions."""
        return min(wanted, 2) if self.quick else wanted


@dataclass(frozen=True, slots=True)
class Sample:
    """The same thing measured several times."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Sample":
        """Make a sample of *values*, at least one."""
        if not values:
            raise ValueError("a sample needs a value")
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured: its *sample* in the table's unit, and *ratios* in the table's columns.

    A ratio is None where there is nothing to compare; *remark* says what the figure does not.
    """

    what: str
    sample: Sample
    ratios: tuple[float | None, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """*rows* in one *unit*; *against* names what each column of ratios divides by."""

    title: str
    unit: str
    rows: tuple[Row, ...]
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached, what was measured, and whether that is it."""

    text: str
    measured: str
    reached: bool

    @classmethod
    def at_least(cls, text: str, limit: float, measured: float, unit: str = "x") -> "Goal":
        """Judge *measured* against the least it should be."""
        return cls(f"{text}: ≥ {limit:g} {unit}", f"{number(measured)} {unit}", measured >= limit)

    @classmethod
    def at_most(cls, text: str, limit: float, measured: float, unit: str = "x") -> "Goal":
        """Judge *measured* against the most it may be."""
        return cls(f"{text}: ≤ {limit:g} {unit}", f"{number(measured)} {unit}", measured <= limit)


@dataclass(frozen=True, slots=True)
class Result:
    """A section of the report: *notes* are paragraphs, *command* repeats the measurement."""

    title: str
    command: str
    tables: tuple[Table, ...]
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = field(default=())


def number(value: float) -> str:
    """Return *value* with three significant digits, and all of those before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return (
        f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.2f}"
        if abs(value) >= 0.1
        else f"{value:.3g}"
    )
