"""Timer triggers: run a function when its schedule says so, on one host among several.

At each occurrence the hosts compete for a blob lease; who has it keeps it past the moment, so that
a slower one does not run the same occurrence. Occurrences missed while no host ran stay missed.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Executor as Threads
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from local.host.errors import StartError
from local.host.execution import Executor
from local.host.functions import Function, resolve
from local.host.ncrontab import Schedule, ScheduleError, parse
from local.host.wire import TypedData
from local.host.worker import InvocationError, json_data

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient

log = logging.getLogger("local.host")

LEASE_SECONDS = 15
CONTAINER = "azure-webjobs-hosts"
LONGEST_SLEEP = 3600
"""A clock that was set meanwhile is noticed after this many seconds."""


class TimerLease:
    """The right to run one timer, held by one host. Nothing is touched before the first use."""

    def __init__(self, connect: Callable[[], "BlobServiceClient"], name: str) -> None:
        self._connect = connect
        self._name = name
        self._id = str(uuid.uuid4())
        self._held = False
        self._blob: BlobClient | None = None

    def take(self) -> bool:
        """Take the lease, or renew it; False when another host has it."""
        from azure.storage.blob import BlobLeaseClient

        blob = self._open()
        try:
            if self._held:
                BlobLeaseClient(blob, self._id).renew()
            else:
                blob.acquire_lease(LEASE_SECONDS, self._id)
        except ResourceNotFoundError:
            self._create(blob)
            blob.acquire_lease(LEASE_SECONDS, self._id)
        except HttpResponseError as error:
            if error.status_code not in {409, 412}:
                raise
            was_held, self._held = self._held, False
            return self.take() if was_held else False  # it ran out: compete like anyone
        self._held = True
        return True

    def release(self) -> None:
        """Let another host have it at once."""
        from azure.storage.blob import BlobLeaseClient

        if self._held and self._blob is not None:
            self._held = False
            with suppress(AzureError):
                BlobLeaseClient(self._blob, self._id).release()

    def _open(self) -> "BlobClient":
        if self._blob is None:
            self._blob = self._connect().get_blob_client(CONTAINER, self._name)
        return self._blob

    def _create(self, blob: "BlobClient") -> None:
        with suppress(HttpResponseError):  # it exists
            self._connect().create_container(CONTAINER)
        with suppress(HttpResponseError):  # another host was quicker
            blob.upload_blob(b"", overwrite=False)


class TimerListener:
    """Serves one function's schedule."""

    def __init__(
        self, function: Function, executor: Executor, threads: Threads, lease: TimerLease
    ) -> None:
        self._function = function
        self._schedule = read_schedule(function)
        self._executor = executor
        self._threads = threads
        self._lease = lease
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Fire until ``stop``."""
        if self._function.trigger.get("runOnStartup"):
            await self._fire()
        while not self._stopping.is_set():
            due = self._schedule.next_after(datetime.now(UTC))
            while not self._stopping.is_set():
                left = (due - datetime.now(UTC)).total_seconds()
                if left <= 0:
                    await self._fire()
                    break
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), min(left, LONGEST_SLEEP))
        await self._call(self._lease.release)

    def stop(self) -> None:
        """Fire no more."""
        self._stopping.set()

    async def _fire(self) -> None:
        """Run the function if this host gets the lease; keep the lease while it runs."""
        try:
            if not await self._call(self._lease.take):
                return
        except AzureError as error:
            log.warning("%s: cannot take its lease: %s", self._function.name, error.message)
            return
        renewal = asyncio.create_task(self._renew())
        try:
            await self._executor.execute(self._function, timer_data(self._schedule))
        except InvocationError:
            pass  # the executor has said so
        finally:
            renewal.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 2)
            with suppress(AzureError):
                await self._call(self._lease.take)

    async def _call[T](self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def read_schedule(function: Function) -> Schedule:
    """Read the schedule of a timer function."""
    try:
        return parse(resolve(function.trigger["schedule"]))
    except ScheduleError as error:
        raise StartError(f"{function.name}: {error}") from error


def timer_data(schedule: Schedule) -> TypedData:
    """Give what ``func.TimerRequest`` is made from."""
    now = datetime.now(UTC)
    return json_data(
        {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {
                "Last": now.isoformat(),
                "Next": schedule.next_after(now).isoformat(),
                "LastUpdated": now.isoformat(),
            },
            "IsPastDue": False,
        }
    )
