"""Worlds to break: an Azure Storage with an account for each."""

from collections.abc import Iterator

import pytest

from local import azurite as emulator
from tests.breaking.matrix import Matrix, account_names


@pytest.fixture(scope="session")
def matrix() -> Iterator[Matrix]:
    """Runs rows, each in a world of its own."""
    names = account_names(24)
    with emulator.running(accounts=names) as running:
        yield Matrix(running, names)
