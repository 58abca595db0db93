"""The post office, open for each test with a clean page."""

import secrets

import pytest

from local.standins import Stack
from shared import wiring
from tests.delivery.post_office import PostOffice


@pytest.fixture(scope="session")
def _settled(settings: dict[str, str]) -> None:
    """Let the wiring read its settings, once; the environment is left as it was."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        wiring.config()


@pytest.fixture
def office(_settled: None, standins: Stack) -> PostOffice:
    """The product's delivery, driven in this process."""
    return PostOffice(standins, f"firma-{secrets.token_hex(4)}")
