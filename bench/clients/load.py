"""HTTP clients on kept connections, each sending its next request after the last answer.

Takes a job as JSON on stdin: ``{"port", "clients", "requests", "warm_up", "targets", "token",
"body"}``; client n posts to targets[n % len]. Prints latencies and statuses as JSON.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from typing import Any


class Client(asyncio.Protocol):
    """One connection: bytes out, bytes in, nothing parsed but status and length."""

    def __init__(self, load: "Load", request: bytes) -> None:
        self.load = load
        self.request = request
        self.received = b""
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.next()

    def next(self) -> None:
        if not self.load.take():
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if len(body) < int(length or 0):
            return
        self.load.done(time.perf_counter() - self.began, head.split(b" ", 2)[1].decode())
        self.received = b""
        self.next()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.load.gone()


class Load:
    """Counts what is asked and answered."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.left = job["warm_up"] + job["requests"]
        self.ignored = job["warm_up"]
        self.clients = job["clients"]
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.began = (time.perf_counter(), time.process_time())
        self.over = asyncio.Event()

    def take(self) -> bool:
        self.left -= 1
        return bool(self.left >= 0)

    def done(self, seconds: float, status: str) -> None:
        if self.ignored:
            self.ignored -= 1
            if not self.ignored:
                self.began = (time.perf_counter(), time.process_time())
            return
        self.times.append(seconds)
        self.statuses[status] += 1

    def gone(self) -> None:
        self.clients -= 1
        if not self.clients:
            self.over.set()


async def main() -> None:
    job = json.loads(sys.stdin.read())
    body = json.dumps(job["body"]).encode()
    load = Load(job)
    loop = asyncio.get_running_loop()
    for number in range(job["clients"]):
        target = job["targets"][number % len(job["targets"])]
        request = (
            f"{job.get('method', 'POST')} {target} HTTP/1.1\r\nHost: localhost:{job['port']}\r\n"
            f"Authorization: Bearer {job['token']}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        await loop.create_connection(
            lambda request=request: Client(load, request + body),  # type: ignore[misc]
            "127.0.0.1",
            job["port"],
        )
    await load.over.wait()
    wall, cpu = time.perf_counter() - load.began[0], time.process_time() - load.began[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = {"seconds": wall, "cpu": cpu, "peak": peak, "statuses": load.statuses}
    print(json.dumps({**result, "times": load.times}))


if __name__ == "__main__":
    asyncio.run(main())
