"""Sinks as processes: started with a certificate of a throw-away authority, ended with a count."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

ROOT = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class Sink:
    """A running sink; *counted* is what it reports at its end."""

    port: int
    ca: str
    counted: dict[str, float] = field(default_factory=dict)


@contextmanager
def running(delay: float = 0) -> Iterator[Sink]:
    """Run a sink with a round trip of *delay* milliseconds until the block ends.

    Raises RuntimeError when it was sent content before it had asked for it.
    """
    with TemporaryDirectory(prefix="bench-") as folder:
        ca, certificate = _certificates(Path(folder))
        command = [sys.executable, "-m", "bench.sink", "--delay", str(delay)]
        process = subprocess.Popen(
            [*command, "--certificate", certificate],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            sink = Sink(json.loads(_line(process))["port"], ca)
            yield sink
            out, _ = process.communicate(timeout=10)
            sink.counted = json.loads(out)
        finally:
            process.kill()
            process.communicate()
    if sink.counted["early_content"]:
        raise RuntimeError("content came before the sink had asked for it")


def _line(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline() if process.stdout else ""


def _certificates(folder: Path) -> tuple[str, str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "sink.pem")
    return str(folder / "ca.pem"), str(folder / "sink.pem")
