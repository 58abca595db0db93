"""Tables and queues on Azurite, by the key that the tests' connection string holds."""

import secrets

import pytest

from local.azurite import Azurite
from shared.secrecy import Secret
from shared.store import table as tables
from shared.store.access import SharedKey, url_in
from shared.store.endpoint import Endpoint
from shared.store.table import Table
from tests.store.speaking import no_tls


@pytest.fixture
def account(azurite: Azurite) -> Secret:
    """The connection string of Azurite's account."""
    return Secret(azurite.connection_string)


@pytest.fixture
def table(account: Secret) -> Table:
    """A table that is not there yet."""
    key = SharedKey.of(account)
    url = url_in(account, "table")
    service = Endpoint(url, key.for_tables, version=tables.VERSION, tls=no_tls)
    return Table(service, f"t{secrets.token_hex(6)}")
