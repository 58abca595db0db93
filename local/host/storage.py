"""The host's own connections to storage, made from app settings as the real host reads them."""

import logging
import os
from typing import TYPE_CHECKING, Any

from local.host.errors import StartError

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

QUIET_LOG = logging.getLogger("local.host.storage")
"""Where the SDK writes the requests that the host makes by itself: nowhere, by default."""


def connect_queues(connection: str) -> "QueueServiceClient":
    """Open the queue service that the setting or setting prefix *connection* names."""
    from azure.storage.queue import LinearRetry, QueueServiceClient

    options: dict[str, Any] = {"logger": QUIET_LOG}
    options["retry_policy"] = LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)
    if text := _setting(connection):
        return QueueServiceClient.from_connection_string(text, **options)
    url, credential = _identity(connection, "queue")
    return QueueServiceClient(url, credential=credential, **options)


def connect_blobs(connection: str) -> "BlobServiceClient":
    """Open the blob service that the setting or setting prefix *connection* names."""
    from azure.storage.blob import BlobServiceClient, LinearRetry

    options: dict[str, Any] = {"logger": QUIET_LOG}
    options["retry_policy"] = LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)
    if text := _setting(connection):
        return BlobServiceClient.from_connection_string(text, **options)
    url, credential = _identity(connection, "blob")
    return BlobServiceClient(url, credential=credential, **options)


def check_connection(connection: str, needed_by: str) -> None:
    """Refuse to start when nothing says where *connection* leads."""
    keys = (f"{connection}__{each}" for each in ("queueServiceUri", "accountName"))
    if not _setting(connection) and not any(os.environ.get(key) for key in keys):
        raise StartError(
            f"the setting {connection} (or {connection}__queueServiceUri and its kin) is missing: "
            f"{needed_by} cannot be served without it"
        )


def _setting(connection: str) -> str | None:
    return os.environ.get(connection) or os.environ.get(f"AzureWebJobs{connection}")


def _identity(connection: str, service: str) -> tuple[str, Any]:
    """Give the service's address and the credential for it."""
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    url = os.environ.get(f"{connection}__{service}ServiceUri")
    account = os.environ.get(f"{connection}__accountName")
    if not url and not account:
        raise StartError(f"the setting {connection}__{service}ServiceUri is missing")
    client_id = os.environ.get(f"{connection}__clientId")
    url = url or f"https://{account}.{service}.core.windows.net"
    if os.environ.get(f"{connection}__credential", "").lower() == "managedidentity":
        return url, ManagedIdentityCredential(client_id=client_id)
    return url, DefaultAzureCredential(managed_identity_client_id=client_id)
