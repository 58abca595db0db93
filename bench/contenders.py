"""Who is measured, and how one of them is run: a process of its own that prints what it did."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.clients.job import Job
from bench.result import Sample

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Seconds after which a run counts as hung."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program of bench/clients and the *kind* of run asked of it."""

    name: str
    program: str
    kind: str

    def command(self, job: Job) -> list[str]:
        """Return what to run for *job*."""
        told = [json.dumps(asdict(job)), self.kind]
        if self.program.endswith(".mjs"):
            return ["node", str(ROOT / "bench" / "clients" / self.program), *told]
        return [sys.executable, "-m", f"bench.clients.{self.program}", *told]


@dataclass(frozen=True, slots=True)
class Run:
    """What one process did, in seconds and octets; *cpu* and *peak* are those of all of it."""

    messages: int
    seconds: float
    cpu: float
    peak: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_per_thousand(self) -> float:
        """Seconds of processor time for 1,000 messages."""
        return self.cpu / self.messages * 1000


def run(contender: Contender, job: Job) -> Run:
    """Run *contender* once; raises RuntimeError with its last words when it fails."""
    environment = {
        **os.environ,
        "BENCH_MODULES": str(ROOT / "bench" / "package.json"),
        "NODE_EXTRA_CA_CERTS": job.ca,  # it fetches tokens with what Node trusts
    }
    ended = subprocess.run(
        contender.command(job),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{contender.name}: {ended.stderr.strip()[-800:]}")
    return Run(**json.loads(ended.stdout))


def interleave(
    contenders: Sequence[Contender], job_of: Callable[[Contender], Job], rounds: int
) -> Mapping[str, list[Run]]:
    """Run all *contenders* in turn, *rounds* times, so that a slow minute hits them all."""
    runs: dict[str, list[Run]] = {each.name: [] for each in contenders}
    for _ in range(rounds):
        for each in contenders:
            runs[each.name].append(run(each, job_of(each)))
    return runs


def sample(runs: Sequence[Run], figure: Callable[[Run], float]) -> Sample:
    """Return one *figure* of all *runs*."""
    return Sample.of([figure(each) for each in runs])
