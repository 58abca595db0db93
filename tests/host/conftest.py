"""A host that serves the sample app, on a storage of its own."""

from collections.abc import Iterator

import pytest

from local import azurite
from local.host.process import HostProcess, running
from tests.host.sampling import SAMPLE, SETTINGS


@pytest.fixture(scope="session")
def storage() -> Iterator[azurite.Azurite]:
    with azurite.running() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def host(storage: azurite.Azurite) -> Iterator[HostProcess]:
    settings = {**SETTINGS, "AzureWebJobsStorage": storage.connection_string}
    options = ("--queue-visibility", "2", "--answer-within", "3")
    with running(settings, app=SAMPLE, options=options) as process:
        yield process
