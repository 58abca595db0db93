"""A front before Azure Storage: names every call by what it does, and may break it on the way.

``StorageFront`` passes HTTP through byte for byte, so that the SDKs and Azurite notice nothing.
Signatures do not cover the host, so a connection string that leads here is as good as Azurite's.
"""

import contextlib
import random
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from local.azurite import ACCOUNT, ACCOUNT_KEY, Azurite
from tests.breaking import http_bytes
from tests.breaking.http_bytes import Message
from tests.breaking.storage_calls import Call, called

BACKLOG = 128
UPSTREAM_SECONDS = 120


class Moment(StrEnum):
    """``before`` the call goes on to the store; ``after`` its answer, which nobody has yet."""

    BEFORE = "before"
    AFTER = "after"


class Fault(StrEnum):
    """What goes wrong. ``lost-reply``: the call is carried out, and its answer never comes."""

    THROTTLED = "throttled"
    BUSY = "busy"
    CUT = "cut"
    LOST_REPLY = "lost-reply"


REFUSALS = {
    Fault.THROTTLED: (429, "Too Many Requests", "TooManyRequests", "Too many requests."),
    Fault.BUSY: (503, "The server is busy.", "ServerBusy", "The server is busy."),
}

type Watcher = Callable[[Call, Moment], Fault | None]


@dataclass(slots=True)
class Planned:
    """A fault for the next *times* calls, of any step or of the one named."""

    fault: Fault
    times: int
    step: str | None


class StorageFront:
    """Stands before one storage account of *azurite*; ``with`` opens and closes it.

    *watch* is called for every call, before it is passed on and once it was answered; it may take
    its time, end the client, and name a fault. Faults come from *watch*, from ``fail_next`` and
    from ``fail_randomly``, in this order.
    """

    def __init__(
        self,
        azurite: Azurite,
        *,
        account: str = ACCOUNT,
        key: str = ACCOUNT_KEY,
        watch: Watcher | None = None,
    ) -> None:
        self.account = account
        self.watch = watch
        self.calls: list[Call] = []
        self.faults: Counter[str] = Counter()
        self.retry_after = 1
        self._key = key
        self._planned: list[Planned] = []
        self._rate = 0.0
        self._chance = random.Random(0)
        self._kinds: Sequence[Fault] = ()
        self._taken: set[str] = set()
        self._lock = threading.Lock()
        self._listeners = {
            service: _Listener(self, service, urlsplit(endpoint).port or 80)
            for service, endpoint in (
                ("blob", azurite.blob_endpoint),
                ("queue", azurite.queue_endpoint),
                ("table", azurite.table_endpoint),
            )
        }

    @property
    def connection_string(self) -> str:
        """What ``AzureWebJobsStorage`` is set to, to come by here."""
        endpoints = "".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{listener.port}/{self.account};"
            for service, listener in self._listeners.items()
        )
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};"
            f"AccountKey={self._key};{endpoints}"
        )

    def steps(self, owner: str = "product") -> list[str]:
        """What was called so far by the product or by the ``host``, in the order of arrival."""
        with self._lock:
            return [call.step for call in self.calls if call.owner == owner]

    def counts(self, owner: str = "product") -> Counter[str]:
        """How often each step was called."""
        return Counter(self.steps(owner))

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self.calls.clear()
            self.faults.clear()

    def fail_next(self, fault: Fault, times: int = 1, step: str | None = None) -> None:
        """Let the next *times* calls (of that *step*) meet *fault*."""
        with self._lock:
            self._planned.append(Planned(fault, times, step))

    def fail_randomly(self, rate: float, seed: int, kinds: Sequence[Fault] = tuple(Fault)) -> None:
        """From now on let that part of all calls, 0 to 1, meet one of *kinds*; 0 ends it."""
        with self._lock:
            self._rate, self._kinds, self._chance = rate, kinds, random.Random(seed)

    def __enter__(self) -> Self:
        for listener in self._listeners.values():
            listener.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        for listener in self._listeners.values():
            listener.close()

    def exchange(
        self, service: str, request: Message, forward: Callable[[bytes], Message]
    ) -> bytes:
        """Return the bytes that answer *request*; none cuts the connection."""
        with self._lock:
            call = called(service, request, self._taken)
            self.calls.append(call)
            planned = self._fault(call)
        fault = (self.watch(call, Moment.BEFORE) if self.watch else None) or planned
        if fault and fault is not Fault.LOST_REPLY:
            self._note(call, fault)
            return self._refusal(service, fault) if fault in REFUSALS else b""
        answer = forward(request.raw)
        self._learn(call, answer)
        late = self.watch(call, Moment.AFTER) if self.watch else None
        if fault or late:
            self._note(call, fault or late or Fault.LOST_REPLY)
            return b""
        return answer.raw

    def _learn(self, call: Call, answer: Message) -> None:
        """Take from an answer what only it tells."""
        call.status = int(answer.first.split(" ", 2)[1])
        if call.step.endswith(" take"):
            found = re.findall("<MessageId>([^<]+)<", answer.body.decode())
            with self._lock:
                self._taken |= set(found)
            if not found:
                call.step += " nothing"
        elif " commit " in call.step:  # each part of a transaction has a status of its own
            parts = re.findall(rb"HTTP/1\.1 (\d{3})", answer.body)
            call.status = max((int(one) for one in parts), default=call.status)

    def _fault(self, call: Call) -> Fault | None:
        for planned in self._planned:
            if planned.step in (None, call.step):
                planned.times -= 1
                if planned.times <= 0:
                    self._planned.remove(planned)
                return planned.fault
        if self._rate and self._chance.random() < self._rate:
            return self._chance.choice(self._kinds)
        return None

    def _note(self, call: Call, fault: Fault) -> None:
        with self._lock:
            call.fault = fault.value
            self.faults[fault.value] += 1

    def _refusal(self, service: str, fault: Fault) -> bytes:
        """What the real service says: OData's error for tables, XML for the other two."""
        status, reason, code, words = REFUSALS[fault]
        if service == "table":
            kind = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
            body = (
                f'{{"odata.error":{{"code":"{code}",'
                f'"message":{{"lang":"en-US","value":"{words}"}}}}}}'
            )
        else:
            kind = "application/xml"
            body = (
                '<?xml version="1.0" encoding="utf-8"?>'
                f"<Error><Code>{code}</Code><Message>{words}</Message></Error>"
            )
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nx-ms-error-code: {code}\r\n"
            f"Retry-After: {self.retry_after}\r\n\r\n"
        )
        return (head + body).encode()


class _Listener:
    """One service's port: a thread that accepts, and one per connection."""

    def __init__(self, front: StorageFront, service: str, upstream: int) -> None:
        self.port = 0
        self._front = front
        self._service = service
        self._upstream = upstream
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)
        self.port = self._listening.getsockname()[1]
        threading.Thread(
            target=self._accept, args=(self._listening,), name="front", daemon=True
        ).start()

    def close(self) -> None:
        if self._listening:
            _shut(self._listening)
        for connection in list(self._open):
            _shut(connection)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), name="front", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        store = _Store(self._upstream)
        try:
            with connection.makefile("rb") as reader:
                while request := http_bytes.read_request(reader):
                    method = request.first.partition(" ")[0]

                    def forward(raw: bytes, method: str = method) -> Message:
                        return store.ask(raw, method)

                    answer = self._front.exchange(self._service, request, forward)
                    if not answer:
                        return
                    connection.sendall(answer)
        except (OSError, http_bytes.BrokenError):
            pass  # either end is gone, and so is this conversation
        finally:
            store.close()
            self._open.discard(connection)
            _shut(connection)


class _Store:
    """The connection to Azurite that belongs to one connection of a client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, raw: bytes, method: str) -> Message:
        if self._socket and _has_news(self._socket):
            self.close()  # it was closed while idle
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), UPSTREAM_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(raw)
        with self._socket.makefile("rb") as reader:
            answer = http_bytes.read_response(reader, method)
        if answer is None:
            raise http_bytes.BrokenError("no answer")
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._socket:
            _shut(self._socket)
            self._socket = None


def _has_news(connection: socket.socket) -> bool:
    waiting = select.poll()  # select() takes no more than 1,024 files
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other end was quicker
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
