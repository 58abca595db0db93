"""One event loop in one daemon thread, on which every stand-in's sockets live."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """Starts with the first listener that needs it and ends with the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="stand-ins", daemon=True
                )
                self._thread.start()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            asyncio.run_coroutine_threadsafe(_end_conversations(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
            self._loop = self._thread = None

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* on the loop and wait for it; never called from the loop itself."""
        if self._loop is None:
            work.close()
            raise RuntimeError("no stand-in is running")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the loop cannot wait for itself")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def soon(self, work: Callable[[], object]) -> None:
        """Run *work* on the loop, without waiting."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work)


async def _end_conversations() -> None:
    """End what still waits, such as a conversation that was told to hang."""
    waiting = asyncio.all_tasks() - {asyncio.current_task()}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


BACKGROUND = Background()
