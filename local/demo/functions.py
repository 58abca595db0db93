"""The Functions host as a child process, with its log in a file."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).parents[2]
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
LISTENS_WITHIN = 90.0
STOPS_WITHIN = 15.0
HTTP_LOGGING = "azure.core.pipeline.policies.http_logging_policy"


class HostFailedError(Exception):
    """The host did not start; the text holds the end of its log."""


@contextmanager
def running(port: int, settings: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run the host on *port* until the block ends; gives its process id.

    Its environment is *settings* and what every program needs: it knows nothing else.
    """
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.host", "--port", str(port)],
            cwd=ROOT,
            env=environment | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us, who then end it in order
        )
    try:
        _await_answer(process, port, log)
        yield process.pid
    finally:
        _stop(process)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 25) -> str:
    """The end of *log*, without what the Azure SDKs say of each request."""
    said = log.read_text("utf-8", "replace").splitlines()
    return "\n".join([line for line in said if HTTP_LOGGING not in line][-lines:])


def _await_answer(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + LISTENS_WITHIN
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/admin/host/ping", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise HostFailedError(f"the Functions host did not start:\n{tail(log)}") from None
            time.sleep(0.05)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
