"""What every HTTP stand-in has: a port, faults on demand, a record of what it was asked."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from local.standins.faults import Fault, Faults
from local.standins.listening import Listener
from local.standins.trust import Trust
from local.standins.verbs import verb
from local.standins.web import (
    HEAD_LIMIT,
    Answer,
    BadRequestError,
    Broken,
    Conversation,
    Request,
    Response,
)

REMEMBERED = 2_000
HANG_SECONDS = 600

type Watch = Callable[[str, str], bool]
"""Called with an endpoint, ``before`` anything happens and ``after`` it; True cuts then."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was answered, *at* by ``time.monotonic``; status 0 when it was not."""

    endpoint: str
    method: str
    path: str
    status: int
    at: float


class StandIn(Answer):
    """An outside system over HTTP; subclasses name endpoints and answer requests.

    Sockets live on the background thread, verbs are called from any: state is plain dicts and
    lists, changed by single operations only.
    """

    name: ClassVar[str]

    def __init__(self, trust: Trust | None = None, port: int = 0) -> None:
        self.faults = Faults()
        self.asked: deque[Asked] = deque(maxlen=REMEMBERED)
        self.counters: Counter[str] = Counter()
        self.crashes: list[Exception] = []
        self.watch: Watch | None = None
        self._scheme = "https" if trust else "http"
        tls = trust.server_context() if trust else None
        self._listener = Listener(self._protocol, port, tls)
        self._up = False

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """The settings that lead the product here."""
        return {}

    def endpoint(self, request: Request) -> str:
        """The name by which faults and counters know what is asked."""
        return request.path.strip("/") or "root"

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    def refuse(self, fault: Fault, request: Request) -> Response:
        """What the real service says for *fault*; subclasses know more kinds."""
        match fault.kind:
            case "throttled":
                return Response(429, self.refusal_body(fault), _retry_after(fault))
            case "unavailable":
                return Response(503, self.refusal_body(fault), _retry_after(fault))
            case "error":
                return Response(500, self.refusal_body(fault))
        raise ValueError(f"{self.name} knows no fault {fault.kind!r}")

    def refusal_body(self, fault: Fault) -> dict[str, object] | str:
        return {"error": fault.kind}

    async def __call__(self, request: Request) -> Response | Broken:
        endpoint = self.endpoint(request)
        if self._is_cut(endpoint, "before"):
            self._record(endpoint, request, 0)
            return Broken()
        fault = self.faults.take(endpoint)
        if self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        if fault and fault.kind in ("dropped", "hung"):
            self._record(endpoint, request, 0)
            return Broken(HANG_SECONDS if fault.kind == "hung" else 0)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            fault = None
        try:
            response = self.refuse(fault, request) if fault else self.answer(request)
        except BadRequestError:
            raise
        except Exception as error:
            self.crashes.append(error)
            response = Response(500, {"error": f"the stand-in failed: {error!r}"})
        self._record(endpoint, request, response.status)
        return Broken() if self._is_cut(endpoint, "after") else response

    @verb
    def fail_next(
        self, times: int, kind: str, endpoint: str | None = None, seconds: float = 0
    ) -> None:
        """Refuse the next *times* requests (0: until restored) with *kind*.

        Kinds of all: throttled, unavailable, error, dropped, hung, slow; *seconds* is Retry-After,
        or how slow.
        """
        self.faults.add(Fault(kind, endpoint, times, seconds))

    @verb
    def be_unavailable(self) -> None:
        """Answer 503 until ``restore``."""
        self.fail_next(0, "unavailable")

    @verb
    def throttle(self, times: int = 1, seconds: float = 1) -> None:
        """Answer 429 with Retry-After."""
        self.fail_next(times, "throttled", seconds=seconds)

    @verb
    def slow(self, seconds: float) -> None:
        """Delay every answer."""
        self.faults.delay = seconds

    @verb
    def hang(self, times: int = 1, endpoint: str | None = None) -> None:
        """Take the request and never answer."""
        self.fail_next(times, "hung", endpoint)

    @verb
    def drop(self, times: int = 1, endpoint: str | None = None) -> None:
        """Take the request and cut the connection."""
        self.fail_next(times, "dropped", endpoint)

    @verb
    def restore(self) -> None:
        """End every fault and delay."""
        self.faults.clear()
        self.watch = None

    @verb
    def counts(self) -> dict[str, int]:
        """How often each endpoint was asked, and how often with each status."""
        return dict(self.counters)

    @verb
    def reset(self) -> None:
        """A clean page for the next test: no faults, no counters; keys and content stay."""
        self.faults.clear()
        self.watch = None
        self.asked.clear()
        self.counters.clear()

    @verb
    def up(self) -> None:
        """Listen (again)."""
        if not self._up:
            self._listener.start()
            self._up = True

    @verb
    def down(self) -> None:
        """Refuse connections until ``up``; the port stays the same."""
        if self._up:
            self._up = False
            self._listener.stop()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()

    def _is_cut(self, endpoint: str, moment: str) -> bool:
        return self.watch is not None and self.watch(endpoint, moment)

    def _record(self, endpoint: str, request: Request, status: int) -> None:
        at = time.monotonic()
        self.asked.append(Asked(endpoint, request.method, request.path, status, at))
        self.counters[endpoint] += 1
        self.counters[f"{endpoint} {status}"] += 1

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=HEAD_LIMIT)
        return asyncio.StreamReaderProtocol(reader, Conversation(self))


def _retry_after(fault: Fault) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(fault.seconds))} if fault.seconds else {}
