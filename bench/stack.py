"""The real host on Azurite for a benchmark: stand-ins, a sink in Exchange's place, accounts."""

import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import servers
from local import azurite
from local.azurite import Azurite
from local.host import process
from local.host.process import HostProcess
from local.standins import Stack as StandIns
from tests.client import FRONTEND, Api

CUSTOMER = "firma"
OUTSIDE = ("entra", "key_vault", "identity", "exchange", "issuer")
TICKS = os.sysconf("SC_CLK_TCK")


class Stack:
    """What runs, and a caller of it."""

    def __init__(
        self, storage: Azurite, standins: StandIns, host: HostProcess, told: Mapping[str, str]
    ) -> None:
        self.azurite = storage
        self.standins = standins
        self.host = host
        self.told = told
        self.api = Api(host.url, standins, standins.issuer.mint, CUSTOMER)
        self.api.token = standins.issuer.mint(CUSTOMER)

    def accounts(self, count: int) -> list[str]:
        """Open and connect *count* accounts, each of a person of its own; return their ids."""
        ids = []
        for _ in range(count):
            name = f"kari-{secrets.token_hex(4)}@firma.no"
            self.standins.entra.add_user(name)
            ids.append(self.api.add_connected_account(name)["id"])
        return ids

    def cpu(self) -> Mapping[str, float]:
        """Return the seconds of processor time that each process has used so far."""
        return {
            "host": cpu_of(self.host.process.pid),
            "Azurite": cpu_of(self.azurite.process.pid),
        }


@contextmanager
def running(delay: float = 0, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run it all until the block ends; the sink's round trip is *delay* milliseconds."""
    with outside(delay) as (storage, standins, told):
        port = int(told["PUBLIC_URL"].rpartition(":")[2])
        with process.running({**told, **(settings or {})}, port=port) as host:
            yield Stack(storage, standins, host, told)


@contextmanager
def outside(
    delay: float = 0, *, location: Path | None = None
) -> Iterator[tuple[Azurite, StandIns, Mapping[str, str]]]:
    """Run everything but the host; the last value is what the product is told.

    *location* is a folder for Azurite's data, which otherwise stays in memory.
    """
    with azurite.running(location=location) as storage, StandIns(only=OUTSIDE) as standins:
        trust = standins.trust
        both = trust.folder / "both.pem"
        both.write_bytes(trust.certificate.read_bytes() + trust.key.read_bytes())
        with servers.sink(servers.Trust(str(trust.ca), str(both)), delay) as sink:
            yield (
                storage,
                standins,
                standins.settings()
                | {
                    "PUBLIC_URL": f"http://localhost:{_free_port()}",
                    "ALLOWED_ORIGINS": FRONTEND,
                    "AzureWebJobsStorage": storage.connection_string,
                    "SMTP_HOST": "localhost",
                    "SMTP_PORT": str(sink.port),
                    "PYTHON_THREADPOOL_THREAD_COUNT": "64",  # as in infra/modules/application
                },
            )


def cpu_of(pid: int) -> float:
    """Return the seconds of processor time that process *pid* has used."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / TICKS


def peak_of(pid: int) -> int:
    """Return the most memory, in bytes, that process *pid* ever held."""
    return _memory(pid, "VmHWM")


def memory_of(pid: int) -> int:
    """Return the memory, in bytes, that process *pid* holds."""
    return _memory(pid, "VmRSS")


def _memory(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if name in line)


def invoice(size: int = 10_000) -> dict[str, Any]:
    """Return a request for a message with an attached invoice, *size* bytes of JSON in all."""
    body: dict[str, Any] = {
        "to": [{"name": "Ola Normann", "address": "ola@kunde.no"}],
        "subject": "Faktura 10042",
        "text": "Hei!\n\nHer er fakturaen.\n\nMed vennlig hilsen\nKari\n",
        "attachments": [
            {"filename": "faktura.pdf", "content_type": "application/pdf", "content": ""}
        ],
    }
    room = size - len(json.dumps(body))
    body["attachments"][0]["content"] = ("JVBERi0xLjcKJeLjz9MK" * (room // 20))[: room // 4 * 4]
    return body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
