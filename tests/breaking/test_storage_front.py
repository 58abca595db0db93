"""The front before Azure Storage: unnoticed until it is told to break something."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableClient
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from local import azurite as emulator
from tests.breaking.storage_calls import Call
from tests.breaking.storage_front import Fault, Moment, StorageFront


@pytest.fixture
def front(azurite: emulator.Azurite) -> Iterator[StorageFront]:
    with StorageFront(azurite) as opened:
        yield opened


@pytest.fixture
def table(front: StorageFront) -> Iterator[TableClient]:
    with TableClient.from_connection_string(
        front.connection_string, table_name="fronted", retry_total=0
    ) as client:
        client.create_table()
        yield client
        client.delete_table()


def row(key: str, **values: object) -> dict[str, object]:
    return {"PartitionKey": "p", "RowKey": key, **values}


def test_tables_work_through_it_and_every_call_is_named(
    front: StorageFront, table: TableClient
) -> None:
    lease = row("lease", holder="me")
    table.submit_transaction([("create", lease), ("create", row("outbox:17:a", æ="ø"))])
    table.submit_transaction([("update", row("lease", holder="")), ("delete", row("outbox:17:a"))])
    found = table.get_entity("p", "lease")
    listed = list(table.query_entities("PartitionKey eq 'p' and RowKey ge 'outbox:'"))

    assert found["holder"] == ""
    assert listed == []
    assert front.steps() == [
        "table fronted create",
        "table fronted commit lease+outbox",
        "table fronted commit lease-back+outbox",
        "table fronted get lease",
        "table fronted query outbox",
    ]
    assert [call.status for call in front.calls] == [201, 201, 204, 200, 200]


def test_a_refused_transaction_has_the_status_of_its_part(
    front: StorageFront, table: TableClient
) -> None:
    table.create_entity(row("a"))
    with pytest.raises(HttpResponseError):
        table.submit_transaction([("upsert", row("b")), ("create", row("a"))])

    assert (front.calls[-1].step, front.calls[-1].status) == ("table fronted commit b+a", 409)


def test_queues_tell_the_hosts_calls_from_the_products(front: StorageFront) -> None:
    with QueueClient.from_connection_string(
        front.connection_string, "fronted", retry_total=0
    ) as queue:
        queue.create_queue()
        back = queue.send_message("called back")
        queue.delete_message(back.id, back.pop_receipt)
        queue.send_message("taken")
        taken = next(iter(queue.receive_messages(max_messages=1)))
        queue.delete_message(taken)
        assert list(queue.receive_messages(max_messages=1)) == []
        queue.delete_queue()

    assert taken.content == "taken"
    assert front.steps("host") == [
        "queue fronted take",
        "queue fronted delete",
        "queue fronted take nothing",
    ]
    assert front.steps() == [
        "queue fronted create",
        "queue fronted send",
        "queue fronted call-back",
        "queue fronted send",
        "queue fronted remove",
    ]


def test_blobs_of_every_size_pass(front: StorageFront) -> None:
    content = bytes(range(256)) * 12_000
    with ContainerClient.from_connection_string(
        front.connection_string, "fronted", retry_total=0
    ) as container:
        container.create_container()
        container.upload_blob("a/b", content)
        read = container.download_blob("a/b").readall()
        exists = container.get_blob_client("a/b").exists()
        container.delete_container()

    assert read == content
    assert exists
    assert "blob fronted put" in front.steps()
    assert "blob fronted head" in front.steps()


def test_a_refusal_looks_like_the_services_own(front: StorageFront, table: TableClient) -> None:
    front.fail_next(Fault.BUSY, step="table fronted get a")

    with pytest.raises(HttpResponseError) as refused:
        table.get_entity("p", "a")

    assert refused.value.status_code == 503
    assert getattr(refused.value, "error_code", "") == "ServerBusy"
    assert front.faults == {"busy": 1}


def test_a_lost_reply_is_carried_out_all_the_same(front: StorageFront, table: TableClient) -> None:
    front.fail_next(Fault.LOST_REPLY)
    with pytest.raises(AzureError):
        table.create_entity(row("a"))

    front.fail_next(Fault.CUT)
    with pytest.raises(AzureError):
        table.create_entity(row("b"))

    assert [found["RowKey"] for found in table.list_entities()] == ["a"]


def test_a_watcher_is_there_before_and_after_and_may_cut(
    front: StorageFront, table: TableClient
) -> None:
    seen = []

    def watch(call: Call, moment: Moment) -> Fault | None:
        seen.append((call.step, moment.value, call.status))
        return Fault.CUT if call.step.endswith("get b") else None

    front.watch = watch
    table.upsert_entity(row("a"))
    with pytest.raises(AzureError):
        table.get_entity("p", "b")
    front.watch = None

    assert seen == [
        ("table fronted patch a", "before", 0),
        ("table fronted patch a", "after", 204),
        ("table fronted get b", "before", 0),
    ]


def test_chance_breaks_the_same_calls_for_the_same_seed(
    front: StorageFront, table: TableClient
) -> None:
    def outcomes() -> list[str]:
        front.forget()
        front.fail_randomly(0.5, seed=3, kinds=(Fault.BUSY, Fault.THROTTLED))
        for _ in range(20):
            try:
                table.upsert_entity(row("a"))
            except HttpResponseError:
                continue
        return [call.fault for call in front.calls]

    first, second = outcomes(), outcomes()
    front.fail_randomly(0, seed=3)

    assert first == second
    assert set(first) == {"", "busy", "throttled"}
