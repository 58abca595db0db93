"""Pacing: a mailbox stays under Exchange's limits by itself, whoever drains it.

Exchange Online allows 30 messages a minute and 10,000 recipients a day per mailbox (Microsoft:
"Changes in message store and throttling for concurrent connections"). The counters travel in the
lease row, which only the holder of the lease writes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

MESSAGES_A_MINUTE = 30
RECIPIENTS_A_DAY = 10_000
WINDOW = timedelta(seconds=61)
"""A second more than Exchange's minute: what leaves here evenly may arrive there unevenly."""
DAY = timedelta(hours=25)
"""Recipients are counted by the clock hour, so a day of them is one hour longer."""


@dataclass(slots=True)
class Pace:
    """What a mailbox has submitted lately: moments (epoch milliseconds), recipients by hour."""

    recent: list[int] = field(default_factory=list)
    hours: dict[int, int] = field(default_factory=dict)

    @classmethod
    def from_values(cls, recent: str, hours: str) -> Self:
        """Read the counters from the lease row's text."""
        return cls(
            [int(one) for one in recent.split(",") if one],
            {
                int(h): int(n)
                for h, _, n in (one.partition("=") for one in hours.split(",") if one)
            },
        )

    def values(self) -> tuple[str, str]:
        """Return the counters as the lease row's text: moments, and recipients by hour."""
        return (
            ",".join(str(one) for one in self.recent),
            ",".join(f"{hour}={count}" for hour, count in self.hours.items()),
        )

    def next_slot(self, recipients: int, now: datetime) -> datetime:
        """Return when a message to that many *recipients* may be submitted; *now* if at once."""
        self._forget(now)
        slot = now
        if len(self.recent) >= MESSAGES_A_MINUTE:
            oldest = self.recent[-MESSAGES_A_MINUTE]
            slot = datetime.fromtimestamp(oldest / 1000, now.tzinfo) + WINDOW
        used = sum(self.hours.values())
        for hour in sorted(self.hours):
            if used + recipients <= RECIPIENTS_A_DAY:
                break
            used -= self.hours[hour]
            slot = max(slot, datetime.fromtimestamp(hour * 3600, now.tzinfo) + DAY)
        return slot

    def count(self, recipients: int, now: datetime) -> None:
        """Note that a message to *recipients* is being submitted *now*."""
        self._forget(now)
        self.recent.append(int(now.timestamp() * 1000))
        hour = int(now.timestamp()) // 3600
        self.hours[hour] = self.hours.get(hour, 0) + recipients

    def copy(self) -> Self:
        """Return counters that change independently of these."""
        return type(self)(list(self.recent), dict(self.hours))

    def _forget(self, now: datetime) -> None:
        minute_ago = int((now - WINDOW).timestamp() * 1000)
        self.recent = [one for one in self.recent if one > minute_ago]
        day_ago = int((now - DAY).timestamp()) // 3600
        self.hours = {hour: n for hour, n in self.hours.items() if hour >= day_ago}
