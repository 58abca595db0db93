"""Sink and token endpoint as processes, with the certificate of a throw-away authority."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Trust:
    """Files: the authority that clients trust, and the servers' chain and key."""

    ca: str
    certificate: str


@dataclass(slots=True)
class Server:
    """A running server; *counted* is what it reports at its end."""

    port: int
    counted: dict[str, Any] = field(default_factory=dict)


@contextmanager
def trust() -> Iterator[Trust]:
    """Make an authority for the time of the block."""
    with TemporaryDirectory(prefix="bench-") as folder:
        authority = trustme.CA()
        made = Trust(f"{folder}/ca.pem", f"{folder}/server.pem")
        authority.cert_pem.write_to_path(made.ca)
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(made.certificate)
        yield made


@contextmanager
def sink(trusted: Trust, delay: float = 0) -> Iterator[Server]:
    """Run a sink with a round trip of *delay* milliseconds until the block ends.

    Raises RuntimeError when content came before it had been asked for.
    """
    with _running("bench.sink", trusted, delay) as server:
        yield server
    if server.counted["early_content"]:
        raise RuntimeError("content came before the sink had asked for it")


@contextmanager
def token_endpoint(trusted: Trust, delay: float) -> Iterator[Server]:
    """Run a token endpoint that takes *delay* milliseconds for each token."""
    with _running("bench.token_endpoint", trusted, delay) as server:
        yield server


@contextmanager
def _running(module: str, trusted: Trust, delay: float) -> Iterator[Server]:
    command = [sys.executable, "-m", module, "--delay", str(delay)]
    process = subprocess.Popen(
        [*command, "--certificate", trusted.certificate],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        server = Server(json.loads(line)["port"])
        yield server
        out, _ = process.communicate(timeout=10)
        server.counted = json.loads(out)
    finally:
        process.kill()
        process.communicate()
