"""How the host reaches storage: by identity as in Azure, and when it is not there."""

import socket
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from local import azurite
from local.host.process import running
from local.standins.managed_identity import ManagedIdentity
from local.standins.trust import Trust
from tests.host.sampling import SAMPLE, SETTINGS, eventually, seen_by


def test_queues_and_timers_are_served_with_the_managed_identity(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    with (
        ManagedIdentity() as identity,
        azurite.running(certificate=trust.certificate, key=trust.key) as storage,
    ):
        settings = {
            **SETTINGS,
            **trust.settings(),
            **identity.settings(),
            "AzureWebJobsStorage__queueServiceUri": storage.queue_endpoint,
            "AzureWebJobsStorage__blobServiceUri": storage.blob_endpoint,
            "AzureWebJobsStorage__credential": "managedidentity",
            "AzureWebJobsStorage__clientId": identity.client_id,
        }
        with (
            running(settings, app=SAMPLE) as host,
            QueueClient.from_connection_string(
                storage.connection_string, "work", connection_verify=str(trust.ca)
            ) as queue,
        ):
            queue.create_queue()
            queue.send_message("put by identity")

            eventually(lambda: seen_by(host, "work"))
            eventually(lambda: seen_by(host, "tick"))
            with QueueClient.from_connection_string(
                storage.connection_string, "results", connection_verify=str(trust.ca)
            ) as results:
                assert eventually(lambda: content_of(results)) == "by identity"


def content_of(queue: QueueClient) -> str | None:
    try:
        message = queue.receive_message()
    except ResourceNotFoundError:
        return None
    return message.content if message is not None else None


def test_storage_that_is_away_is_said_once_and_looked_for_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={azurite.ACCOUNT};"
        f"AccountKey={azurite.ACCOUNT_KEY};"
    )
    endpoints = "".join(
        f"{kind}Endpoint=http://127.0.0.1:{at}/{azurite.ACCOUNT};"
        for kind, at in (("Blob", 1), ("Queue", port))
    )
    settings = {
        **SETTINGS,
        "AzureWebJobsStorage": connection + endpoints,
        "AzureWebJobs__tick__Disabled": "true",
    }

    with running(settings, app=SAMPLE) as host:

        def said(text: str) -> list[str]:
            return [line for line in host.log if text in line]

        eventually(lambda: said("work: cannot read its queue"))
        with azurite.running(ports=(0, port, 0)):
            eventually(lambda: said("work: can read its queue again"))

        assert len(said("cannot read its queue")) == 1
