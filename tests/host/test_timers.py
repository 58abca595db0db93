"""When timers fire."""

import time
from collections import Counter
from datetime import UTC, datetime

import pytest
import requests

from local.azurite import Azurite
from local.host.ncrontab import ScheduleError, parse
from local.host.process import HostProcess, running
from tests.host.sampling import SAMPLE, SETTINGS, eventually, seen_by


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-11-23T10:01:02", "2026-11-23T10:05:00"),
        ("0 0 3 * * *", "2026-12-31T03:00:00", "2027-01-01T03:00:00"),
        ("30 0 12 * * Mon-Fri", "2026-11-27T12:00:30", "2026-11-30T12:00:30"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-11-30T00:00:00", "2026-12-31T00:00:00"),
        ("0 15,45 8-10 * Jan *", "2026-11-23T00:00:00", "2027-01-01T08:15:00"),
        ("*/20 * * * * *", "2026-11-23T10:00:59.9", "2026-11-23T10:01:00"),
        ("0 0 0 13 * Fri", "2026-11-23T00:00:00", "2027-08-13T00:00:00"),
        ("*/10 * * * *", "2026-11-23T10:01:00", "2026-11-23T10:10:00"),
        ("5/25 0 0 * * *", "2026-11-23T00:00:05", "2026-11-23T00:00:30"),
    ],
)
def test_a_schedule_fires_next_at(schedule: str, after: str, expected: str) -> None:
    found = parse(schedule).next_after(datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert found.replace(tzinfo=None).isoformat() == expected


@pytest.mark.parametrize(
    "schedule",
    ["", "* * *", "60 * * * * *", "0 0 24 * * *", "0 0 0 0 * *", "0 0 0 30 2 *", "0 0 0 * * x"],
)
def test_a_schedule_that_cannot_fire_is_refused(schedule: str) -> None:
    with pytest.raises(ScheduleError):
        parse(schedule)


def test_of_two_hosts_one_fires(storage: Azurite, host: HostProcess) -> None:
    eventually(lambda: seen_by(host, "tick"))
    settings = {**SETTINGS, "AzureWebJobsStorage": storage.connection_string}

    with running(settings, app=SAMPLE) as second:
        started = int(time.time())
        time.sleep(3.2)
        ticks = [each["tick"] for each in seen_by(host, "tick") + seen_by(second, "tick")]

    counts = Counter(tick for tick in ticks if tick >= started)
    assert len(counts) >= 3
    assert set(counts.values()) == {1}


def test_a_timer_can_be_run_by_hand(host: HostProcess) -> None:
    answer = requests.post(f"{host.url}/admin/functions/new_year", json={}, timeout=10)

    assert answer.status_code == 202
    (run,) = eventually(lambda: seen_by(host, "new_year"))
    assert run["new_year"].endswith("-01-01T00:00:00+00:00")
