"""The bytes of messages too large for the partition: one blob each, until the message is done."""

import contextlib

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient

from shared.errors import ServiceError


class Contents:
    """A container of contents, named ``<account>/<message>``.

    Every failure is raised as ServiceError("storage-unavailable").
    """

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def put(self, account: str, message: str, content: bytes) -> None:
        """Keep *content*; it is there before the transaction that refers to it."""
        blob = self._container.get_blob_client(f"{account}/{message}")
        try:
            try:
                blob.upload_blob(content, overwrite=True)
            except ResourceNotFoundError:  # the container is not there yet
                with contextlib.suppress(ResourceExistsError):
                    self._container.create_container()
                blob.upload_blob(content, overwrite=True)
        except AzureError as error:
            raise ServiceError("storage-unavailable", retry_after=5) from error

    def get(self, account: str, message: str) -> bytes | None:
        """Return the content, or None when it is gone."""
        try:
            return self._container.download_blob(f"{account}/{message}").readall()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise ServiceError("storage-unavailable", retry_after=5) from error

    def delete(self, account: str, message: str) -> None:
        """Delete the content; what stays falls to the container's lifecycle rule."""
        with contextlib.suppress(HttpResponseError):
            self._container.delete_blob(f"{account}/{message}")

    def is_reachable(self) -> bool:
        """Tell whether Blob Storage answers; raises nothing."""
        try:
            self.get("-", "-")
        except ServiceError:
            return False
        return True
