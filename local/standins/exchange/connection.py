"""An SMTP connection as bytes: lines, flights of replies, sync points, the step to TLS."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable

LINE_LIMIT = 2_048
AUTH_LINE_LIMIT = 16 * 1024  # Exchange takes the one-line AUTH form, tokens are long


class Connection(asyncio.Protocol):
    """Feeds ``command`` with lines and ``content`` with bytes; sends replies in flights.

    A sync point (RFC 2920 section 3.1) is a command that must end its group; data that arrives
    before its reply has left is a breach.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.reading_content = False
        self.round_trip: float = 0
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self._replies: list[str] = []
        self._flights: deque[tuple[bytes, bool]] = deque()
        self._paused = False
        self._owed = False
        self._ended = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be said."""
        return self._ended

    def opened(self) -> None:
        raise NotImplementedError

    def closed(self) -> None:
        raise NotImplementedError

    def command(self, line: bytes) -> None:
        raise NotImplementedError

    def content(self) -> bool:
        """Take what it can from ``buffer``; False when more bytes are needed."""
        raise NotImplementedError

    def breach(self, what: str) -> None:
        raise NotImplementedError

    def overlong(self) -> None:
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self.opened()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._transport = None
        self.closed()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self.heard = self._loop.time()
        self.buffer += data
        if self._owed:
            self.breach("data before the reply to a sync point")
            self.flush()
            return
        self.advance()

    def advance(self) -> None:
        """Work on what has arrived, then send the replies as one flight."""
        while not self._paused and not self._ended:
            if self.reading_content:
                if not self.content():
                    break
            elif not self._line():
                break
        self.flush()

    def sync_point(self) -> None:
        """The command just read must be the last of its group."""
        self._owed = True
        if self.buffer:
            self.breach("data behind a sync point")

    def send(self, reply: str) -> None:
        self._replies.append(reply)

    def flush(self) -> None:
        """Send the replies so far as one flight, a round trip later when there is one."""
        if not self._replies or self._paused:
            return
        flight = "".join(f"{reply}\r\n" for reply in self._replies).encode()
        self._replies.clear()
        if self.round_trip:
            self._flights.append((flight, self._owed))
            self._loop.call_later(self.round_trip, self._depart)
        else:
            self._write(flight, settles=self._owed)

    def pause(self, seconds: float | None, then: Callable[[], None] | None = None) -> None:
        """Do nothing for *seconds* (None: for ever), then *then* and go on."""
        owed = self._owed
        self.flush()
        self._owed, self._paused = owed, True
        if seconds is not None:
            self._loop.call_later(seconds, self._resume, then)

    def cut(self) -> None:
        """End the connection at once, what was not sent is lost."""
        self._ended = True
        self._replies.clear()
        self._flights.clear()
        if self._transport is not None:
            self._transport.abort()

    def now(self) -> float:
        """The time that ``heard`` is told in."""
        return self._loop.time()

    def later(self, seconds: float, work: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, work)

    def soon(self, work: Callable[[], None]) -> None:
        """Run *work* on the connection's own thread."""
        self._loop.call_soon_threadsafe(work)

    def end(self) -> None:
        """Send what is left and close."""
        self.flush()
        self._ended = True
        if self._transport is not None and not self._flights:
            self._transport.close()

    def start_tls(self, context: ssl.SSLContext, then: Callable[[], None]) -> None:
        """Hand over to TLS once the reply has left; what came in clear before is forgotten."""
        self.flush()
        self._paused = True
        self.buffer.clear()
        self._upgrading = self._loop.create_task(self._handshake(context, then))

    async def _handshake(self, context: ssl.SSLContext, then: Callable[[], None]) -> None:
        if self._flights:
            await asyncio.sleep(self.round_trip)
        transport = self._transport
        if transport is None:
            return
        with contextlib.suppress(OSError):
            upgraded = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=20
            )
            if upgraded is not None and not self._ended:
                self._transport = upgraded
                then()
                self._resume(None)
                return
        self.cut()

    def _resume(self, then: Callable[[], None] | None) -> None:
        self._paused = False
        if self._ended:
            return
        if then is not None:
            then()
        self.advance()

    def _depart(self) -> None:
        if self._flights:
            flight, settles = self._flights.popleft()
            self._write(flight, settles=settles)
        if self._ended and not self._flights and self._transport is not None:
            self._transport.close()

    def _write(self, flight: bytes, *, settles: bool) -> None:
        if settles:
            self._owed = False
        if self._transport is not None:
            self._transport.write(flight)

    def _line(self) -> bool:
        end = self.buffer.find(b"\r\n")
        length = end if end >= 0 else len(self.buffer)
        limit = AUTH_LINE_LIMIT if self.long_line_allowed() else LINE_LIMIT
        if length > limit:
            self.overlong()
            return False
        if end < 0:
            return False
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        self.command(line)
        return True

    def long_line_allowed(self) -> bool:
        return self.buffer[:5].upper() == b"AUTH "
