"""One Azurite process: blob, queue and table on loopback, gone when its owner is gone."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's published account: the same on every machine, no secret."""

LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (\S+)")


class AzuriteError(Exception):
    """Azurite could not be started; the text says why."""


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running Azurite. The endpoints end in the account name, as its SDKs want them."""

    blob_endpoint: str
    queue_endpoint: str
    table_endpoint: str
    process: "subprocess.Popen[str]" = field(repr=False)

    @property
    def connection_string(self) -> str:
        """What ``AzureWebJobsStorage`` is set to."""
        scheme = self.blob_endpoint.partition(":")[0]
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};"
            f"TableEndpoint={self.table_endpoint};"
        )


@contextmanager
def running(
    *,
    location: Path | None = None,
    ports: tuple[int, int, int] = (0, 0, 0),
    certificate: Path | None = None,
    key: Path | None = None,
    accounts: Sequence[str] = (),
    start_within: float = 60,
) -> Iterator[Azurite]:
    """Run Azurite until the block ends.

    *location* is a folder for its data; without one everything stays in memory. *ports* are those
    of blob, queue and table; 0 takes a free one. With *certificate* and *key* it serves https and
    also accepts bearer tokens, as the real account does with shared keys switched off. *accounts*
    are further ones with the same key, each with storage of its own.
    """
    process = _start(location, ports, certificate, key, accounts)
    try:
        endpoints = _await_endpoints(process, start_within)
        yield Azurite(endpoints["Blob"], endpoints["Queue"], endpoints["Table"], process)
    finally:
        _stop(process, keeps_data=location is not None)


def _start(
    location: Path | None,
    ports: tuple[int, int, int],
    certificate: Path | None,
    key: Path | None,
    accounts: Sequence[str],
) -> "subprocess.Popen[str]":
    node = shutil.which("node")
    if node is None:
        raise AzuriteError("Azurite needs Node 20 or newer, and there is no 'node' on PATH")
    if not SCRIPT.exists():
        raise AzuriteError(f"Azurite is not installed: run local/setup (no {SCRIPT})")
    command = [node, "--require", str(HERE / "ends_with_parent.cjs"), str(SCRIPT), "--silent"]
    # The SDKs are newer than the newest service version Azurite knows by name.
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    for service, port in zip(("blob", "queue", "table"), ports, strict=True):
        command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
        command += [f"--{service}KeepAliveTimeout", "120"]
    if location is None:
        command += ["--inMemoryPersistence", "--extentMemoryLimit", "2048"]
    else:
        location.mkdir(parents=True, exist_ok=True)
        command += ["--location", str(location)]
    if certificate is not None and key is not None:
        command += ["--cert", str(certificate), "--key", str(key), "--oauth", "basic"]
    named = ";".join(f"{name}:{ACCOUNT_KEY}" for name in (ACCOUNT, *accounts))
    return subprocess.Popen(
        command,
        env={**os.environ, "AZURITE_ACCOUNTS": named},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the owner, who then ends it in order
    )


def _await_endpoints(process: "subprocess.Popen[str]", within: float) -> dict[str, str]:
    """Read its output until all three services listen; read on after that: a full pipe blocks."""
    found: dict[str, str] = {}
    last_words: deque[str] = deque(maxlen=20)
    all_listen = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            last_words.append(line.rstrip())
            if match := LISTENING.search(line):
                found[match[1]] = f"{match[2]}/{ACCOUNT}"
            if len(found) == 3:
                all_listen.set()

    reader = threading.Thread(target=read, name="azurite-output", daemon=True)
    reader.start()
    deadline = time.monotonic() + within
    while not all_listen.wait(0.05):
        if process.poll() is not None or time.monotonic() > deadline:
            reader.join(1)
            raise AzuriteError("Azurite did not start: " + " | ".join(last_words))
    return found


def _stop(process: "subprocess.Popen[str]", *, keeps_data: bool) -> None:
    """End it; only with data on disk is there anything to wait for (it waits for its clients)."""
    process.terminate()
    try:
        process.wait(5 if keeps_data else 0.1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
