"""The sample app, its settings, and how tests look at what it did."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from local.host.process import HostProcess

SAMPLE = Path(__file__).parent / "sample"
SETTINGS = {"WORK_QUEUE": "work", "PYTHON_THREADPOOL_THREAD_COUNT": "8"}


def seen_by(host: HostProcess, what: str) -> list[dict[str, Any]]:
    """Give what functions of the sample noted under *what*."""
    answer = requests.get(f"{host.url}/api/seen", timeout=10)
    return [each for each in answer.json() if what in each]


def eventually[T](look: Callable[[], T], within: float = 15) -> T:
    """Look until there is something true to see."""
    deadline = time.monotonic() + within
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found, f"nothing within {within} s"
    return found
