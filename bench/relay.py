"""emailproxy as a relay: plain SMTP in, OAuth and STARTTLS out; it gets its token by itself."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.clients.job import HOST, USER
from bench.servers import Trust

PATIENCE = 20
CONFIGURATION = """[SMTP-{port}]
local_address = {host}
server_address = {host}
server_port = {smtp}
server_starttls = True

[{user}]
token_url = https://{host}:{tokens}/organizations/oauth2/v2.0/token
oauth2_scope = https://outlook.office365.com/.default
oauth2_flow = client_credentials
client_id = bench
client_secret = bench
"""


@dataclass(frozen=True, slots=True)
class Relay:
    """A running emailproxy."""

    port: int
    pid: int


@contextmanager
def running(trusted: Trust, *, smtp: int, tokens: int) -> Iterator[Relay]:
    """Run it between a client and the sink at port *smtp* until the block ends."""
    with TemporaryDirectory(prefix="bench-") as name, socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
        probe.close()
        folder = Path(name)
        text = CONFIGURATION.format(host=HOST, port=port, smtp=smtp, tokens=tokens, user=USER)
        (folder / "configuration").write_text(text, encoding="utf-8")
        process = _start(folder, trusted)
        try:
            _await(port, process)
            yield Relay(port, process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _start(folder: Path, trusted: Trust) -> "subprocess.Popen[bytes]":
    program = Path(sys.executable).with_name("emailproxy")
    files = [
        *("--config-file", str(folder / "configuration")),
        *("--cache-store", str(folder / "tokens")),
        *("--log-file", str(folder / "log")),
    ]
    return subprocess.Popen(
        [str(program), "--no-gui", *files],
        env={**os.environ, "SSL_CERT_FILE": trusted.ca},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("emailproxy did not start")
