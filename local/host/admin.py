"""The host's own pages, as the real host has them: its state, and running a function by hand."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from azure.storage.queue import QueueMessage

from local.host.execution import Executor
from local.host.functions import Function
from local.host.queues import message_metadata
from local.host.timers import read_schedule, timer_data
from local.host.wire import TypedData
from local.host.worker import InvocationError

type Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Admin:
    """What lies under ``/admin``. Open: this host listens on loopback only."""

    def __init__(self, functions: Iterable[Function], executor: Executor, host_id: str) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._executor = executor
        self._host_id = host_id
        self._started = time.monotonic()
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, method: str, path: str, body: bytes) -> Answer | None:
        """Answer a request under /admin; None when there is no such page."""
        if method == "GET" and path == "admin/host/status":
            return _json(200, self._status())
        if path == "admin/host/ping":
            return 200, [], b""
        if method == "GET" and path == "admin/functions":
            return _json(200, [_describe(each) for each in self._functions.values()])
        function = self._functions.get(path.removeprefix("admin/functions/").lower())
        if method != "POST" or function is None:
            return None
        return self._run(function, body)

    def _status(self) -> dict[str, object]:
        return {
            "id": self._host_id,
            "state": "Running",
            "version": f"azure-functions-runtime {version('azure-functions-runtime')}",
            "processUptime": round((time.monotonic() - self._started) * 1000),
            "invocationsRunning": self._executor.running,
        }

    def _run(self, function: Function, body: bytes) -> Answer:
        """Start the function and say 202; how it went is in the log."""
        try:
            value = json.loads(body or b"{}").get("input")
        except (ValueError, AttributeError):
            return _json(400, {"message": 'the body must be {"input": "..."}'})
        if function.kind == "httpTrigger":
            return _json(400, {"message": f"{function.name} has a route: call that"})
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        task = asyncio.create_task(self._execute(function, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return 202, [], b""

    async def _execute(self, function: Function, text: str) -> None:
        with suppress(InvocationError):  # the executor has said so
            if function.kind == "timerTrigger":
                await self._executor.execute(function, timer_data(read_schedule(function)))
            else:
                metadata = message_metadata(_message(text), text)
                await self._executor.execute(function, TypedData(string=text), metadata)


def _message(text: str) -> QueueMessage:
    """Make up the message that nobody queued."""
    message = QueueMessage(content=text)
    message.id = str(uuid.uuid4())
    message.dequeue_count = 1
    message.inserted_on = datetime.now(UTC)
    message.expires_on = message.inserted_on + timedelta(days=7)
    message.next_visible_on = message.inserted_on
    return message


def _describe(function: Function) -> dict[str, object]:
    return {
        "name": function.name,
        "config": {"bindings": [dict(function.trigger), *map(dict, function.outputs)]},
    }


def _json(status: int, document: object) -> Answer:
    content_type = (b"content-type", b"application/json; charset=utf-8")
    return status, [content_type], json.dumps(document).encode()
