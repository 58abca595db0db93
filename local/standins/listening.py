"""A TCP listener on 127.0.0.1 that can be taken down and come back on the same port."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from local.standins.background import BACKGROUND

BACKLOG = 256


class Listener:
    """Accepts connections for the protocol that *factory* makes; port 0 takes a free one."""

    def __init__(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self._factory = factory
        self._tls = tls
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        BACKGROUND.enter()
        try:
            BACKGROUND.run(self._open())
        except BaseException:
            BACKGROUND.leave()
            raise

    def stop(self) -> None:
        """Refuse new connections and cut the open ones; the port stays chosen."""
        if self._server is None:
            return
        BACKGROUND.run(self._close())
        BACKGROUND.leave()

    async def _open(self) -> None:
        # The protocol is named because asyncio sets TCP_NODELAY only where it sees TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", self.port))
        except OSError:
            listening.close()
            raise
        listening.settimeout(0)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._factory, sock=listening, ssl=self._tls, backlog=BACKLOG
        )
        self.port = int(listening.getsockname()[1])

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        server.abort_clients()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2)
        await asyncio.sleep(0)
