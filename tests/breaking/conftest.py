"""Worlds to break: an Azure Storage with an account for each."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from local import azurite as emulator
from tests.breaking import selection
from tests.breaking.crash import Outcome
from tests.breaking.matrix import Matrix, account_names

AWAITED = "test_crashes.py"

type Begun = Future[dict[str, Outcome]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what waits for leases to run out behind all that can be tested meanwhile."""
    items.sort(key=lambda item: item.path.name == AWAITED)


@pytest.fixture(scope="session")
def matrix() -> Iterator[Matrix]:
    """Runs rows, each in a world of its own."""
    names = account_names(24)
    with emulator.running(accounts=names) as running:
        yield Matrix(running, names)


@pytest.fixture(scope="session", autouse=True)
def _begun(request: pytest.FixtureRequest, matrix: Matrix) -> Iterator[Begun | None]:
    """Begin with the selected rows when the first test of this room does."""
    if not any(item.path.name == AWAITED for item in request.session.items):
        yield None
        return
    with ThreadPoolExecutor(1, thread_name_prefix="crashes") as beside:
        yield (begun := beside.submit(selection.play, matrix))
        if not begun.done():
            matrix.abandon()


@pytest.fixture(scope="session")
def outcomes(_begun: Begun) -> dict[str, Outcome]:
    """What became of every selected row."""
    found = _begun.result()
    print(*found.values(), sep="\n")
    return found
