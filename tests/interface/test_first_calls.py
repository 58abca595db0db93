"""A deployment's first calls come at the same moment: what a process has one of is made once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.host.process import HostProcess, start
from local.standins import Stack
from tests.client import FRONTEND, Api, request
from tests.ports import free_port

CALLERS = 16


@pytest.fixture
def fresh(settings: dict[str, str], standins: Stack) -> Iterator[HostProcess]:
    """A host that nobody has called yet, over a vault that never had a key."""
    port = free_port()
    running = start(settings | {"PUBLIC_URL": f"http://localhost:{port}"}, port=port)
    yield running
    running.stop()


def test_the_first_customers_all_get_links_that_open(fresh: HostProcess, standins: Stack) -> None:
    api = Api(fresh.url, standins, standins.issuer.mint, "firma-first")
    usernames = [f"kari{number}@firma.no" for number in range(CALLERS)]

    with ThreadPoolExecutor(CALLERS) as customers:
        accounts = list(customers.map(api.add_account, usernames))
    opened = [
        request("GET", account["connect_url"], None, {"Referer": f"{FRONTEND}/"}).status
        for account in accounts
    ]

    assert opened == [302] * CALLERS
    assert len(standins.key_vault.values("sealing-key")) == 1, "one process makes one key"
