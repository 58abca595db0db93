"""The worker: Microsoft's runtime indexes the app and runs its functions, in this process.

The runtime keeps its state in modules: one app for each process.
"""

import asyncio
import json
import os
import secrets
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure_functions_runtime as runtime

from local.host.errors import StartError
from local.host.functions import Function, is_disabled, read_function
from local.host.wire import NAMES, ParameterBinding, Record, StatusResult, TypedData


class InvocationError(Exception):
    """The function raised; *stack_trace* is its own."""

    def __init__(self, message: str, stack_trace: str = "") -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a function gave back, by binding name; ``$return`` is its return value."""

    values: Mapping[str, Any]


class Worker:
    """The app of one folder, indexed."""

    def __init__(self, functions: list[Function], timeout: float | None) -> None:
        self.functions = functions
        self._timeout = timeout

    async def invoke(
        self,
        function: Function,
        value: TypedData,
        metadata: Mapping[str, TypedData] | None = None,
        *,
        invocation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Outcome:
        """Run *function* with *value* as its trigger's data.

        A synchronous function runs on the runtime's thread pool. One that exceeds host.json's
        ``functionTimeout`` counts as failed, though its thread cannot be stopped.
        """
        invocation = Record(
            invocation_id=invocation_id or str(uuid.uuid4()),
            function_id=function.id,
            input_data=[ParameterBinding(name=function.trigger["name"], data=value)],
            trigger_metadata=dict(metadata or {}),
            trace_context=Record(
                trace_parent=traceparent
                or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
                trace_state="",
                attributes={},
            ),
            retry_context=Record(retry_count=0, max_retry_count=0, exception=None),
        )
        call = asyncio.ensure_future(
            runtime.invocation_request(_to_worker(invocation_request=invocation))
        )
        try:
            response = await asyncio.wait_for(asyncio.shield(call), self._timeout)
        except TimeoutError:
            raise InvocationError(f"exceeded the functionTimeout of {self._timeout} s") from None
        _raise_on_failure(response)
        values = {binding.name: binding.data for binding in response.output_data}
        return Outcome({**values, "$return": response.return_value})

    def stop(self) -> None:
        """Take no more work; wait for the threads."""
        runtime.stop_threadpool_executor()


async def index(folder: Path, function_timeout: float | None) -> Worker:
    """Let the runtime import the app in *folder* and check its functions."""
    # It imports by bare module name and expects to stand in the folder, as in Azure.
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    runtime.start_threadpool_executor()
    request = _to_worker(
        worker_init_request=Record(capabilities={}, function_app_directory=str(folder))
    )
    _raise_on_failure(await runtime.worker_init_request(request), folder)
    response = await runtime.functions_metadata_request(
        _to_worker(functions_metadata_request=Record())
    )
    if response.function_metadata_results is None:
        script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
        raise StartError(f"there is no {script} in {folder}, or it has no functions")
    functions = [
        read_function(found.function_id, found.name, found.raw_bindings)
        for found in response.function_metadata_results
    ]
    return Worker([each for each in functions if not is_disabled(each.name)], function_timeout)


def json_data(value: object) -> TypedData:
    """Wrap *value* as the worker expects everything that is neither text nor bytes."""
    return TypedData(json=json.dumps(value))


def _to_worker(**message: Record) -> Record:
    properties = {"host": "127.0.0.1", "protos": NAMES}
    return Record(request=Record(**message), properties=properties)


def _raise_on_failure(response: Record, indexed: Path | None = None) -> None:
    """Raise what went wrong: StartError while the app *indexed* starts, else InvocationError."""
    if response.result.status == StatusResult.Success:
        return
    fault = response.result.exception
    if indexed is None:
        raise InvocationError(fault.message, fault.stack_trace)
    raise StartError(
        fault.message, "" if _is_its_own(fault.raised, indexed) else fault.stack_trace
    )


def _is_its_own(raised: BaseException | None, folder: Path) -> bool:
    """Tell whether the app in *folder* made that kind of exception itself.

    Then its text is what the app has to say; any other came as a surprise, and where is of use.
    """
    name = type(raised).__module__.partition(".")[0]
    return (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
