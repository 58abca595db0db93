"""The two hosts on one storage: killed at any moment, and started again on the same port."""

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from local.host import process
from local.host.process import HostError, HostProcess

OPTIONS = ("--queue-visibility", "30")
"""A wake-up that died with its host comes back after half a minute instead of ten."""
EVENT = re.compile(r"\bevent=(\w+)")
NAMED = re.compile(r"ServiceError: storage-unavailable\\n$")
"""A wake-up that fails because the queue does not even take its postponement: it comes again."""


class Host:
    """One of the two; *events* counts what it logged, *peak* is its largest size in bytes."""

    def __init__(self, settings: Mapping[str, str], port: int) -> None:
        self.port = port
        self.events: Counter[str] = Counter()
        self.poisoned: list[str] = []
        self.failures: list[str] = []
        self.kills = 0
        self.peak = 0
        self._settings = settings
        self._process: HostProcess | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens, or will again."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Start it; storage that is throttled may take several tries."""
        for _ in range(5):
            try:
                self._process = process.start(
                    self._settings, port=self.port, options=OPTIONS, on_line=self._hear
                )
            except HostError:
                time.sleep(1)
            else:
                return
        raise HostError(f"no host at port {self.port}")

    def die(self) -> None:
        """End it by SIGKILL and start it again."""
        with self._lock:
            if self._process:
                self._process.kill()
                self.kills += 1
            self.start()

    def stop(self) -> None:
        """End it in order."""
        with self._lock:
            if self._process:
                self._process.stop()

    def weigh(self) -> int:
        """Return its resident size now, in bytes; 0 while it is down."""
        found = self._process
        if found is None or found.process.poll() is not None:
            return 0
        try:
            status = Path(f"/proc/{found.process.pid}/status").read_text()
        except OSError:
            return 0
        size = int(re.findall(r"VmRSS:\s+(\d+) kB", status + "VmRSS: 0 kB")[0]) * 1024
        self.peak = max(self.peak, size)
        return size

    def _hear(self, line: str) -> None:
        if found := EVENT.search(line):
            self.events[found[1]] += 1
        if "-poison" in line:
            self.poisoned.append(line)
        if "Traceback" in line and not NAMED.search(line):
            self.failures.append(line)
