"""What every client is told, and how it reports."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Job:
    """*messages* of *size* octets to *port*; *warm_up* come first and are not counted.

    *tokens* is the token endpoint's port, with *mailboxes* accounts of which *at_once* are busy.
    *relay* is the process between client and server, if there is one: what it uses counts too.
    """

    port: int
    ca: str
    messages: int
    size: int
    warm_up: int = 0
    mailboxes: int = 0
    at_once: int = 1
    tokens: int = 0
    relay: int = 0

    @property
    def content(self) -> bytes:
        head = (
            b"From: Kari <kari@firma.test>\r\nTo: ola@kunde.test\r\nSubject: Faktura\r\n"
            b"Message-ID: <1@firma.test>\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
        return head + line * ((self.size - len(head)) // len(line))


HOST = "127.0.0.1"  # by its address, so that no resolver is measured
TOKEN = "bench-token." * 150  # as long as Entra's are
USER = "kari@firma.test"
TO = "ola@kunde.test"


def read_job() -> Job:
    return Job(**json.loads(sys.argv[1]))


def peak(process: int | str = "self") -> int:
    """Return the most octets a process held; what its parent held does not count."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def cpu(process: int) -> float:
    """Return the seconds of processor time that another *process* has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Clock:
    """Wall and processor time since it was started, a relay's included."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.wall = time.perf_counter()
        self.cpu = self.used()

    def used(self) -> float:
        """Return the processor time used so far."""
        return time.process_time() + (cpu(self.job.relay) if self.job.relay else 0)

    def report(self, messages: int) -> None:
        """Print what was measured."""
        seconds, used = time.perf_counter() - self.wall, self.used() - self.cpu
        held = peak() + (peak(self.job.relay) if self.job.relay else 0)
        result = {"messages": messages, "seconds": seconds, "cpu": used, "peak": held}
        print(json.dumps(result), flush=True)


def measure(warm_up: Callable[[], None], run: Callable[[], None], job: Job) -> None:
    """Time *run* alone."""
    warm_up()
    clock = Clock(job)
    run()
    clock.report(job.messages)


def serve_mailboxes(job: Job, serve: Callable[[int], None]) -> None:
    """Let *serve* send the messages of each mailbox, as many at once as the job says."""
    clock = Clock(job)
    with ThreadPoolExecutor(job.at_once) as threads:
        for done in [threads.submit(serve, number) for number in range(job.mailboxes)]:
            done.result()
    clock.report(job.mailboxes * job.messages)
