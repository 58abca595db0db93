"""The host put together: settings, app, HTTP and listeners, started and stopped in order."""

import asyncio
import contextlib
import hashlib
import logging
import os
import platform
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import uvicorn

from local.host.admin import Admin
from local.host.errors import StartError
from local.host.execution import Executor
from local.host.functions import Function, resolve
from local.host.logs import start_logging
from local.host.queues import QueueListener, output_messages, send_creating
from local.host.settings import HostSettings, read_settings
from local.host.storage import check_connection, connect_blobs, connect_queues
from local.host.timers import TimerLease, TimerListener
from local.host.web import Web
from local.host.wire import TypedData
from local.host.worker import Worker, index

log = logging.getLogger("local.host")

STORAGE = "AzureWebJobsStorage"
BODY_LIMIT = 104_857_600
STOP_WITHIN = 10
STORAGE_THREADS = 8

type Listener = QueueListener | TimerListener


class HttpServer(uvicorn.Server):
    """uvicorn without its own idea of signals: the host stops in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(app: Path, port: int, *, visibility: float, answer_within: float) -> int:
    """Serve the app in *app* until a signal; give the exit status."""
    settings = read_settings(app)
    start_logging(settings.log_level)
    listening = _listen(port)
    worker = await _index(app, settings)
    threads = ThreadPoolExecutor(STORAGE_THREADS, "host-storage")
    executor = Executor(worker, partial(_write_queue_output, settings, threads))
    host_id = _host_id(app)
    listeners = _listeners(worker, settings, executor, threads, visibility, host_id)
    web = Web(
        [each for each in worker.functions if each.kind == "httpTrigger"],
        executor,
        settings,
        Admin(worker.functions, executor, host_id),
        body_limit=int(os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", BODY_LIMIT)),
        answer_within=answer_within,
    )
    await _run(_http_server(web), listening, listeners, worker.functions)
    return _end(executor, worker, threads)


async def _index(app: Path, settings: HostSettings) -> Worker:
    """Index the app, which from here on comes first where modules are looked for."""
    started_in = str(Path.cwd())
    sys.path[:] = [entry for entry in sys.path if entry not in {"", started_in}]
    worker = await index(app, settings.function_timeout)
    for function in worker.functions:
        if function.kind == "queueTrigger":
            check_connection(function.trigger.get("connection") or STORAGE, function.name)
        elif function.kind == "timerTrigger":
            check_connection(STORAGE, function.name)
    return worker


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle off for every connection (40 ms each).
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise StartError(f"port {port} is taken: {error.strerror}") from error
    return listening


def _http_server(web: Web) -> HttpServer:
    return HttpServer(
        uvicorn.Config(
            web,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=120,
            timeout_graceful_shutdown=STOP_WITHIN,
        )
    )


def _listeners(
    worker: Worker,
    settings: HostSettings,
    executor: Executor,
    threads: ThreadPoolExecutor,
    visibility: float,
    host_id: str,
) -> list[Listener]:
    service = cache(connect_queues)
    blobs = cache(partial(connect_blobs, STORAGE))
    listeners: list[Listener] = []
    for function in worker.functions:
        if function.kind == "queueTrigger":
            connection = function.trigger.get("connection") or STORAGE
            listeners.append(
                QueueListener(
                    function,
                    service(connection),
                    settings.queues,
                    executor,
                    threads,
                    visibility=visibility,
                )
            )
        elif function.kind == "timerTrigger":
            lease = TimerLease(blobs, f"locks/{host_id}/{function.name}.Listener")
            listeners.append(TimerListener(function, executor, threads, lease))
    return listeners


async def _run(
    server: HttpServer,
    listening: socket.socket,
    listeners: list[Listener],
    functions: list[Function],
) -> None:
    """Answer HTTP first, then listen to queues and clocks; stop in the same order."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # uvicorn has no event for it
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    address, port = listening.getsockname()
    names = ", ".join(function.name for function in functions)
    print(f"listening on http://{address}:{port}, functions: {names}", flush=True)
    await stop.wait()
    for listener in listeners:
        listener.stop()
    server.should_exit = True
    await asyncio.wait([serving, *tasks], timeout=STOP_WITHIN)


def _end(executor: Executor, worker: Worker, threads: ThreadPoolExecutor) -> int:
    """Stop the threads; what still runs after the time given is abandoned, as in a crash."""
    if executor.running:
        log.warning("stopped while %d invocations were running", executor.running)
        logging.shutdown()
        os._exit(0)
    worker.stop()
    threads.shutdown(cancel_futures=True)
    return 0


async def _write_queue_output(
    settings: HostSettings,
    threads: ThreadPoolExecutor,
    binding: Mapping[str, str],
    value: TypedData,
) -> None:
    def write() -> None:
        service = connect_queues(binding.get("connection") or STORAGE)
        queue = service.get_queue_client(resolve(binding["queueName"]))
        for content in output_messages(value, base64_encoded=settings.queues.base64):
            send_creating(queue, content)

    await asyncio.get_running_loop().run_in_executor(threads, write)


def _host_id(app: Path) -> str:
    """Name what two hosts of the same app share, and hosts of two apps do not."""
    named = os.environ.get("AzureFunctionsWebHost__hostid")  # noqa: SIM112
    folder = hashlib.sha256(str(app).encode()).hexdigest()[:12]
    return named or f"{platform.node().lower()[:19]}-{folder}"
