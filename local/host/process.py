"""The host as another process, for the demo, tests and benchmarks: start, watch, stop, kill."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"listening on (http://\S+?), functions: (.*)")


class HostError(Exception):
    """The host ended before it listened; the text is what it said."""


class HostProcess:
    """One ``python -m local.host``. *log* holds every line it wrote to stderr so far."""

    def __init__(
        self, process: "subprocess.Popen[str]", on_line: Callable[[str], None] | None
    ) -> None:
        self.process = process
        self.url = ""
        self.functions: tuple[str, ...] = ()
        self.log: list[str] = []
        self._on_line = on_line
        self._listening = threading.Event()
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def await_listening(self, within: float) -> None:
        """Wait until it answers; raise HostError when it ends instead."""
        deadline = time.monotonic() + within
        while not self._listening.wait(0.02):
            if self.process.poll() is not None:
                self._finish()
                raise HostError("\n".join(self.log))
            if time.monotonic() > deadline:
                raise HostError(f"not listening after {within:g} s: " + "\n".join(self.log))

    def stop(self, within: float = 15) -> int:
        """End it in order; give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self._finish()

    def kill(self) -> None:
        """End it as a crash does: at once, with nothing put in order."""
        self.process.kill()
        self._finish()

    def _finish(self) -> int:
        status = self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return status

    def _read_output(self) -> None:
        for line in self.process.stdout or ():
            if found := LISTENING.match(line):
                self.url, self.functions = found[1], tuple(found[2].strip().split(", "))
                self._listening.set()

    def _read_log(self) -> None:
        for line in self.process.stderr or ():
            self.log.append(line.rstrip("\n"))
            if self._on_line is not None:
                self._on_line(self.log[-1])


def start(
    settings: Mapping[str, str],
    *,
    app: Path = ROOT,
    port: int = 0,
    options: tuple[str, ...] = (),
    on_line: Callable[[str], None] | None = None,
    within: float = 60,
) -> HostProcess:
    """Start a host with *settings* added to this process's environment; wait until it listens."""
    command = [
        sys.executable,
        "-m",
        "local.host",
        "--port",
        str(port),
        "--app",
        str(app),
        *options,
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the owner, who then stops it in order
    )
    host = HostProcess(process, on_line)
    try:
        host.await_listening(within)
    except HostError:
        host.kill()
        raise
    return host


@contextmanager
def running(
    settings: Mapping[str, str],
    *,
    app: Path = ROOT,
    port: int = 0,
    options: tuple[str, ...] = (),
    on_line: Callable[[str], None] | None = None,
) -> Iterator[HostProcess]:
    """Run a host until the block ends."""
    host = start(settings, app=app, port=port, options=options, on_line=on_line)
    try:
        yield host
    finally:
        host.stop()
