"""Health over HTTP: what a bug did to a wake-up is seen there, and upkeep undoes it."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from azure.storage.queue import QueueClient

from local.azurite import Azurite
from shared.delivery.health import Health
from tests.client import Api, request

SECONDS = 20
"""Health is as of some seconds ago, and a function that is run by hand runs in its own time."""


@pytest.fixture
def poison(azurite: Azurite) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(azurite.connection_string, "wakeups-poison") as queue:
        yield queue


def poisoned(api: Api, wanted: int) -> int:
    """How many poisoned wake-ups health tells of, once it is *wanted* or the time is up."""
    end = time.monotonic() + SECONDS
    while True:
        found: int = api.get("/health").json["poisoned_wakeups"]
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.5)


def test_a_poisoned_wake_up_is_seen_and_comes_back(api: Api, poison: QueueClient) -> None:
    account = api.add_connected_account()
    assert poisoned(api, 0) == 0
    poison.send_message(account["id"])
    if poisoned(api, 1) == 0:  # upkeep's own time had come; it does not come twice in a row
        poison.send_message(account["id"])

    assert poisoned(api, 1) == 1

    run = request("POST", f"{api.url}/admin/functions/upkeep", b"{}")
    assert run.status == 202
    assert poisoned(api, 0) == 0
    assert poison.get_queue_properties().approximate_message_count == 0


def test_a_dependency_that_hangs_counts_as_one_that_does_not_answer() -> None:
    never = threading.Event()
    asked = Health(
        {"tables": never.wait, "queue": lambda: True},
        poisoned=lambda: 0,
        clock=lambda: datetime.now(UTC),
        patience=0.2,
    )

    report = asked.report()

    assert dict(report.answers) == {"tables": False, "queue": True}
    assert report.poisoned == 0
    never.set()
