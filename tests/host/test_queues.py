"""What becomes of a queue message."""

import base64
import itertools
import time
from contextlib import suppress
from typing import Any

import pytest
import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient

from local.azurite import Azurite
from local.host.process import HostProcess, start
from local.host.queues import Pause, output_messages, read_content
from local.host.wire import TypedData
from tests.host.sampling import SAMPLE, SETTINGS, eventually, seen_by

NUMBERS = itertools.count()


def send(storage: Azurite, content: str, queue: str = SETTINGS["WORK_QUEUE"]) -> None:
    with QueueClient.from_connection_string(storage.connection_string, queue) as client:
        with suppress(ResourceExistsError):
            client.create_queue()
        client.send_message(content)


def is_empty(storage: Azurite, queue: str = SETTINGS["WORK_QUEUE"]) -> bool:
    with QueueClient.from_connection_string(storage.connection_string, queue) as client:
        return client.get_queue_properties().approximate_message_count == 0


def received(storage: Azurite, queue: str) -> list[str]:
    with QueueClient.from_connection_string(storage.connection_string, queue) as client:
        try:
            messages = list(client.receive_messages())
        except ResourceNotFoundError:
            return []
        for message in messages:
            client.delete_message(message)
        return [message.content for message in messages]


def runs_of(host: HostProcess, content: str) -> list[dict[str, Any]]:
    return [each for each in seen_by(host, "work") if each["work"] == content]


def test_a_message_runs_the_function_once_and_is_gone(storage: Azurite, host: HostProcess) -> None:
    send(storage, "æøå")

    (run,) = eventually(lambda: runs_of(host, "æøå"))
    assert run["count"] == 1
    eventually(lambda: is_empty(storage))
    assert len(runs_of(host, "æøå")) == 1


def test_a_message_that_fails_comes_back_until_it_is_poison(
    storage: Azurite, host: HostProcess
) -> None:
    send(storage, "fail always")

    assert eventually(lambda: received(storage, "work-poison")) == ["fail always"]
    runs = runs_of(host, "fail always")
    assert [run["count"] for run in runs] == [1, 2, 3]
    pauses = [later["at"] - run["at"] for run, later in itertools.pairwise(runs)]
    assert min(pauses) > 0.9, "host.json's visibilityTimeout is the delay after a failure"
    assert is_empty(storage)


def test_a_message_stays_taken_while_its_function_runs_longer_than_the_visibility(
    storage: Azurite, host: HostProcess
) -> None:
    send(storage, "sleep 3")

    eventually(lambda: any("work succeeded in 3" in line for line in host.log))
    eventually(lambda: is_empty(storage))
    assert len(runs_of(host, "sleep 3")) == 1


def test_what_an_output_binding_is_given_is_queued(storage: Azurite, host: HostProcess) -> None:
    send(storage, "put this there")

    assert eventually(lambda: received(storage, "results")) == ["this there"]


def test_a_message_taken_by_a_host_that_crashed_is_seen_by_another(storage: Azurite) -> None:
    name = f"crash{next(NUMBERS)}"
    settings = {
        **SETTINGS,
        "WORK_QUEUE": name,
        "AzureWebJobsStorage": storage.connection_string,
        "AzureWebJobs__tick__Disabled": "true",
    }
    options = ("--queue-visibility", "2")
    first = start(settings, app=SAMPLE, options=options)
    send(storage, "sleep 60", name)
    eventually(lambda: runs_of(first, "sleep 60"))
    first.kill()

    second = start(settings, app=SAMPLE, options=options)
    try:
        (run,) = eventually(lambda: runs_of(second, "sleep 60"))
    finally:
        second.kill()

    assert run["count"] == 2


def test_a_function_can_be_run_by_hand(host: HostProcess) -> None:
    url = f"{host.url}/admin/functions/work"

    answer = requests.post(url, json={"input": "by hand"}, timeout=10)

    assert answer.status_code == 202
    (run,) = eventually(lambda: runs_of(host, "by hand"))
    assert run["count"] == 1


def test_running_by_hand_needs_a_json_body(host: HostProcess) -> None:
    url = f"{host.url}/admin/functions/work"

    assert requests.post(url, data="by hand", timeout=10).status_code == 400


def test_looking_slows_down_while_nothing_is_found() -> None:
    pause = Pause(longest=2)

    pauses = [pause.next() for _ in range(10)]

    assert pauses[0] < 0.2
    assert pauses[-1] == 2
    pause.found()
    assert pause.next() < 0.2


@pytest.mark.parametrize(
    ("content", "decoded"),
    [(base64.b64encode(b"text").decode(), "text"), ("no base64!", None), ("/w==", None)],
)
def test_base64_is_taken_off_when_host_json_says_so(content: str, decoded: str | None) -> None:
    assert read_content(content, base64_encoded=True) == decoded


def test_an_output_may_be_several_messages() -> None:
    value = TypedData(json='["one", {"id": "2", "body": "two"}]')

    assert output_messages(value, base64_encoded=False) == ["one", "two"]
    assert output_messages(TypedData(bytes=b"x"), base64_encoded=True) == ["eA=="]


def test_a_message_is_found_soon_although_looking_had_slowed_down(
    storage: Azurite, host: HostProcess
) -> None:
    time.sleep(0.5)
    sent = time.monotonic()
    send(storage, "soon")

    eventually(lambda: runs_of(host, "soon"))
    assert time.monotonic() - sent < 2
