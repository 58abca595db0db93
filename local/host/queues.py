"""Queue triggers: take messages, run the function, then delete, release or put aside.

Taken messages stay invisible for ten minutes, renewed while the function runs. One that failed
comes back after host.json's ``visibilityTimeout``; one that failed ``maxDequeueCount`` times goes
to ``<queue>-poison``. Looking for messages slows down while there are none.
"""

import asyncio
import base64
import binascii
import json
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor as Threads
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from local.host.execution import Executor
from local.host.functions import Function, resolve
from local.host.settings import QueueSettings
from local.host.wire import TypedData
from local.host.worker import InvocationError, json_data

log = logging.getLogger("local.host")

SHORTEST_PAUSE = 0.1


class Pause:
    """How long to wait before looking again: doubles, with jitter, while nothing is found."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._step = 0

    def found(self) -> None:
        """Start again with the shortest."""
        self._step = 0

    def next(self) -> float:
        """Give the next pause in seconds."""
        pause = SHORTEST_PAUSE * 2.0 ** min(self._step, 30) * random.uniform(0.8, 1.2)
        self._step += 1
        return min(pause, self._longest)


@dataclass(slots=True)
class Taken:
    """A message this host holds; its receipt changes with every renewal."""

    message: QueueMessage
    receipt: str


class QueueListener:
    """Serves one function's queue."""

    def __init__(
        self,
        function: Function,
        service: QueueServiceClient,
        settings: QueueSettings,
        executor: Executor,
        threads: Threads,
        *,
        visibility: float,
    ) -> None:
        name = resolve(function.trigger["queueName"])
        self._function = function
        self._queue = service.get_queue_client(name)
        # A poison queue's own failures stay where they are: there is no poison of poison.
        poison = None if name.endswith("-poison") else f"{name}-poison"
        self._poison = service.get_queue_client(poison) if poison else None
        self._settings = settings
        self._executor = executor
        self._threads = threads
        self._visibility = visibility
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        """Take and process messages until ``stop``; then wait for those being processed."""
        pause = Pause(self._settings.max_polling_interval)
        while not self._stopping.is_set():
            messages = await self._take()
            for message in messages:
                task = asyncio.create_task(
                    self._process(Taken(message, message.pop_receipt or ""))
                )
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if messages:
                pause.found()
                await self._wait_for_room()
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause.next())
        if self._running:
            await asyncio.wait(self._running)

    def stop(self) -> None:
        """Take no more messages."""
        self._stopping.set()

    async def _wait_for_room(self) -> None:
        while len(self._running) > self._settings.new_batch_threshold:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _call[T](self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _take(self) -> list[QueueMessage]:
        try:
            messages = await self._call(self._take_now)
        except AzureError as error:
            if self._trouble != type(error).__name__:  # said once, not at every look
                self._trouble = type(error).__name__
                log.warning("%s: cannot read its queue: %s", self._function.name, error.message)
            return []
        if self._trouble:
            self._trouble = ""
            log.info("%s: can read its queue again", self._function.name)
        return messages

    def _take_now(self) -> list[QueueMessage]:
        """Take a batch; a queue that is not there yet is an empty one."""
        pages = self._queue.receive_messages(
            messages_per_page=self._settings.batch_size,
            visibility_timeout=round(self._visibility),
        ).by_page()
        try:
            return list(next(pages, []))
        except ResourceNotFoundError:
            return []

    async def _process(self, taken: Taken) -> None:
        """See one message through; nothing that happens here may end the listener."""
        try:
            await self._run_function(taken)
        except AzureError as error:
            log.warning("%s: message %s: %s", self._function.name, taken.message.id, error)

    async def _run_function(self, taken: Taken) -> None:
        message = taken.message
        if (message.dequeue_count or 0) > self._settings.max_dequeue_count and self._poison:
            await self._put_aside(taken)  # a host died with it too often
            return
        content = read_content(message.content, base64_encoded=self._settings.base64)
        if content is None:
            log.error("%s: message %s is not base64", self._function.name, message.id)
            await self._put_aside(taken)
            return
        done = asyncio.Event()
        renewal = asyncio.create_task(self._renew(taken, done))
        failed = False
        try:
            await self._executor.execute(
                self._function, TypedData(string=content), message_metadata(message, content)
            )
        except InvocationError:
            failed = True
        finally:
            done.set()
            await renewal
        await (self._give_back(taken) if failed else self._delete(taken))

    async def _renew(self, taken: Taken, done: asyncio.Event) -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), self._visibility / 2)
                return
            try:
                await self._update(taken, self._visibility)
            except AzureError as error:
                log.warning(
                    "%s: lost message %s: %s", self._function.name, taken.message.id, error
                )
                return

    async def _update(self, taken: Taken, visibility: float) -> None:
        update = partial(self._queue.update_message, taken.message.id, taken.receipt)
        updated = await self._call(partial(update, visibility_timeout=round(visibility)))
        taken.receipt = updated.pop_receipt or taken.receipt

    async def _give_back(self, taken: Taken) -> None:
        """Make a failed message visible again after a while, or put it aside for good."""
        exhausted = (taken.message.dequeue_count or 0) >= self._settings.max_dequeue_count
        if exhausted and self._poison is not None:
            await self._put_aside(taken)
            return
        with _unless_lost():
            await self._update(taken, self._settings.delay_after_failure)

    async def _put_aside(self, taken: Taken) -> None:
        if self._poison is None:
            return
        log.error(
            "%s: message %s goes to %s after %s attempts",
            self._function.name,
            taken.message.id,
            self._poison.queue_name,
            taken.message.dequeue_count,
        )
        await self._call(partial(send_creating, self._poison, taken.message.content))
        await self._delete(taken)

    async def _delete(self, taken: Taken) -> None:
        with _unless_lost():
            await self._call(partial(self._queue.delete_message, taken.message.id, taken.receipt))


@contextmanager
def _unless_lost() -> Iterator[None]:
    """Ignore that the message was deleted, or taken by another host, in the meantime."""
    try:
        yield
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        if error.status_code != 404 and code != "PopReceiptMismatch":
            raise


def read_content(content: str, *, base64_encoded: bool) -> str | None:
    """Decode a message as host.json's ``messageEncoding`` says; None when it cannot be."""
    if not base64_encoded:
        return content
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def message_metadata(message: QueueMessage, content: str) -> Mapping[str, TypedData]:
    """Give what ``func.QueueMessage`` tells besides the body."""
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": TypedData(string=message.id),
        "PopReceipt": TypedData(string=message.pop_receipt or ""),
        "DequeueCount": json_data(message.dequeue_count),
        "QueueTrigger": TypedData(string=content),
        **{name: json_data(_iso(time)) for name, time in times.items() if time is not None},
    }


def _iso(time: datetime) -> str:
    return time.isoformat()


def send_creating(queue: QueueClient, content: str) -> None:
    """Send a message; create its queue when it is not there."""
    try:
        queue.send_message(content)
    except ResourceNotFoundError:
        with suppress(HttpResponseError):  # another host creates it at the same moment
            queue.create_queue()
        queue.send_message(content)


def output_messages(value: TypedData, *, base64_encoded: bool) -> list[str]:
    """Read what a queue output binding was given: one message or several."""
    kind = value.WhichOneof("data")
    if kind == "json":
        found = json.loads(value.json)
        items = found if isinstance(found, list) else [found]
        texts = [each["body"] if isinstance(each, dict) else str(each) for each in items]
    else:
        raw = getattr(value, kind or "string")
        texts = [raw.decode() if isinstance(raw, bytes) else raw]
    if base64_encoded:
        return [base64.b64encode(text.encode()).decode() for text in texts]
    return texts
