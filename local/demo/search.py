"""Where a secret lies in Azure Storage: looks into every table, queue and blob."""

import base64
from collections.abc import Iterator
from datetime import datetime

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient


def places_of(secrets: list[str], connection_string: str) -> tuple[list[str], int]:
    """The places that hold one of *secrets*, plain or in base64, and how many were looked at."""
    needles = [needle for secret in secrets for needle in forms_of(secret)]
    found = []
    looked_at = 0
    for place, content in _everything(connection_string):
        looked_at += 1
        if any(needle in content for needle in needles):
            found.append(place)
    return found, looked_at


def forms_of(secret: str) -> list[bytes]:
    """*secret* as bytes and as base64 at each of the three alignments, without the edges."""
    plain = secret.encode()
    encoded = [base64.b64encode(b" " * shift + plain)[4:-4] for shift in range(3)]
    return [plain, *encoded, *(text.translate(bytes.maketrans(b"+/", b"-_")) for text in encoded)]


def _everything(connection_string: str) -> Iterator[tuple[str, bytes]]:
    yield from _tables(connection_string)
    yield from _queues(connection_string)
    yield from _blobs(connection_string)


def _tables(connection_string: str) -> Iterator[tuple[str, bytes]]:
    with TableServiceClient.from_connection_string(connection_string) as service:
        for table in service.list_tables():
            with service.get_table_client(table.name) as client:
                for entity in client.list_entities():
                    key = f"table {table.name}: {entity['PartitionKey']}/{entity['RowKey']}"
                    yield key, b"\n".join(_bytes(value) for value in entity.values())


def _queues(connection_string: str) -> Iterator[tuple[str, bytes]]:
    with QueueServiceClient.from_connection_string(connection_string) as service:
        for queue in service.list_queues():
            with service.get_queue_client(queue.name) as client:
                for message in client.peek_messages(max_messages=32):
                    yield f"queue {queue.name}: {message.id}", _bytes(message.content)


def _blobs(connection_string: str) -> Iterator[tuple[str, bytes]]:
    with BlobServiceClient.from_connection_string(connection_string) as service:
        for container in service.list_containers():
            with service.get_container_client(container.name) as client:
                for blob in client.list_blobs():
                    content = client.download_blob(blob.name).readall()
                    yield f"blob {container.name}: {blob.name}", content


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, datetime):
        return value.isoformat().encode()
    return str(value).encode()
