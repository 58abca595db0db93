"""Wake-ups as our own client queues them, checked with Microsoft's."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import QueueClient

from shared.secrecy import Secret
from shared.store.access import SharedKey, url_in
from shared.store.endpoint import Endpoint
from shared.store.wakeups import VERSION, Wakeups
from tests.store.speaking import no_tls

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.fixture
def name() -> str:
    return f"q{secrets.token_hex(6)}"


@pytest.fixture
def wakeups(account: Secret, name: str) -> Wakeups:
    key = SharedKey.of(account)
    url = url_in(account, "queue")
    service = Endpoint(url, key.for_queues, version=VERSION, tls=no_tls)
    return Wakeups(service, queue=name, poison=f"{name}-poison")


@pytest.fixture
def queue(account: Secret, name: str) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(account.reveal(), name) as client:
        yield client


@pytest.fixture
def poison(account: Secret, name: str) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(account.reveal(), f"{name}-poison") as client:
        yield client


def test_a_wake_up_holds_the_account_and_never_ends(wakeups: Wakeups, queue: QueueClient) -> None:
    wakeups.send("01abc", at=NOW, now=NOW)

    found = queue.receive_message()

    assert found is not None
    assert found.content == "01abc"
    assert found.expires_on is not None
    assert found.expires_on.year > 2100


def test_one_for_later_is_hidden_until_then(wakeups: Wakeups, queue: QueueClient) -> None:
    wakeups.send("01abc", at=NOW + timedelta(hours=1), now=NOW)

    assert queue.receive_message() is None
    assert queue.get_queue_properties().approximate_message_count == 1


def test_one_that_is_called_back_is_gone(wakeups: Wakeups, queue: QueueClient) -> None:
    sent = wakeups.send("01abc", at=NOW + timedelta(hours=1), now=NOW)

    wakeups.call_back(sent)
    wakeups.call_back(sent)

    assert queue.get_queue_properties().approximate_message_count == 0


def test_the_poisoned_are_counted_and_sent_again(
    wakeups: Wakeups, queue: QueueClient, poison: QueueClient
) -> None:
    assert wakeups.count_poisoned() == 0
    poison.send_message("01abc")
    poison.send_message("a <b> & c")

    assert wakeups.count_poisoned() == 2
    assert sorted(wakeups.redrive()) == ["01abc", "a <b> & c"]
    assert wakeups.redrive() == []
    assert sorted(one.content for one in queue.receive_messages()) == ["01abc", "a <b> & c"]
