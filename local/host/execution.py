"""Running a function for whatever triggered it: the log lines, the time it took, its outputs."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping

from azure.core.exceptions import AzureError

from local.host.functions import Function
from local.host.wire import TypedData
from local.host.worker import InvocationError, Outcome, Worker

log = logging.getLogger("local.host")

WriteOutput = Callable[[Mapping[str, str], TypedData], Awaitable[None]]
"""Sends a value to where an output binding points."""


class Executor:
    """Runs functions; knows how many are running."""

    def __init__(self, worker: Worker, write_output: WriteOutput) -> None:
        self._worker = worker
        self._write_output = write_output
        self.running = 0

    async def execute(
        self,
        function: Function,
        value: TypedData,
        metadata: Mapping[str, TypedData] | None = None,
        *,
        traceparent: str | None = None,
    ) -> Outcome:
        """Run *function* and write its outputs; raises InvocationError when it fails."""
        invocation_id = str(uuid.uuid4())
        started = time.perf_counter()
        self.running += 1
        try:
            outcome = await self._worker.invoke(
                function, value, metadata, invocation_id=invocation_id, traceparent=traceparent
            )
            await self._write(function, outcome)
        except InvocationError as error:
            took = (time.perf_counter() - started) * 1000
            report = "%s failed after %.0f ms (%s): %s"
            reason = error.stack_trace or error  # the function's own trace, not this one
            log.log(logging.ERROR, report, function.name, took, invocation_id, reason)
            raise
        finally:
            self.running -= 1
        took = (time.perf_counter() - started) * 1000
        log.info("%s succeeded in %.0f ms (%s)", function.name, took, invocation_id)
        return outcome

    async def _write(self, function: Function, outcome: Outcome) -> None:
        for binding in function.outputs:
            value = outcome.values.get(binding["name"])
            if binding["type"] == "queue" and value is not None:
                try:
                    await self._write_output(binding, value)
                except AzureError as error:
                    raise InvocationError(f"its output {binding['name']}: {error}") from error
