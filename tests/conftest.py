"""The whole stack for tests: stand-ins, Azurite, settings, the host, a caller of its API."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from local import azurite as emulator
from local.host.process import HostProcess, start
from local.standins import Stack
from tests.chromium import launched
from tests.client import FRONTEND, Api
from tests.ports import free_port


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stand-ins of the whole session; tests take ``standins``."""
    with Stack() as running:
        yield running


@pytest.fixture
def standins(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stand-ins with a clean page, trusted and found through this process's environment."""
    stack.reset()
    for name, value in stack.settings().items():
        monkeypatch.setenv(name, value)
    return stack


@pytest.fixture(scope="session")
def azurite() -> Iterator[emulator.Azurite]:
    """Azure Storage of the whole session, in memory."""
    with emulator.running() as running:
        yield running


@pytest.fixture(scope="session")
def settings(stack: Stack, azurite: emulator.Azurite) -> dict[str, str]:
    """Every setting of the product, pointing at the stand-ins and at Azurite."""
    return stack.settings() | {
        "PUBLIC_URL": f"http://localhost:{free_port()}",
        "PRODUCT_NAME": "Quick3",
        "ALLOWED_ORIGINS": FRONTEND,
        "AzureWebJobsStorage": azurite.connection_string,
    }


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests; each gets a context of its own."""
    with launched() as browser:
        yield browser


class Hosts:
    """The one host that runs, started at first use and again after a test ended it."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.host: HostProcess | None = None

    def running(self) -> HostProcess:
        if self.host is None or self.host.process.poll() is not None:
            port = int(self.settings["PUBLIC_URL"].rpartition(":")[2])
            self.host = start(self.settings, port=port)
        return self.host

    def stop(self) -> None:
        if self.host is not None:
            self.host.stop()


@pytest.fixture(scope="session")
def hosts(settings: dict[str, str]) -> Iterator[Hosts]:
    """Starts the host when a test wants it; tests take ``host``."""
    made = Hosts(settings)
    yield made
    made.stop()


@pytest.fixture
def host(hosts: Hosts, standins: Stack) -> HostProcess:
    """The product as Functions serves it, one process for all tests; ``log`` is what it wrote."""
    return hosts.running()


@pytest.fixture
def api(host: HostProcess, standins: Stack) -> Api:
    """A caller of the product's API, with tokens of a customer of its own."""
    return Api(host.url, standins, standins.issuer.mint, f"firma-{secrets.token_hex(4)}")
