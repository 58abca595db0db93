"""Azure Storage over HTTP: connections that last, and patience with a service that stumbles."""

import socket
import ssl
from pathlib import Path

import pytest

from local import azurite
from local.standins.managed_identity import ManagedIdentity
from local.standins.trust import Trust
from shared.errors import ServiceError
from shared.secrecy import Secret
from shared.store import endpoint, table, wakeups
from shared.store.access import Bearer, SharedKey, url_in
from shared.store.endpoint import Endpoint
from shared.store.table import Kind, Table, Write
from shared.store.wakeups import Wakeups
from tests.store.speaking import Scripted, answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(endpoint, "LONGEST_PAUSE", 0.005)


def test_one_connection_serves_one_request_after_the_other() -> None:
    with Scripted(*[answer("200 OK", b"yes")] * 3) as server:
        asked = server.endpoint()

        found = [asked.ask("GET", "/row").body for _ in range(3)]

        assert (found, server.connections) == ([b"yes"] * 3, 1)


def test_a_connection_closed_while_idle_costs_nothing_but_a_new_one() -> None:
    with Scripted(
        answer("200 OK", b"one", ["Connection: close"]), answer("200 OK", b"two")
    ) as server:
        asked = server.endpoint()

        assert asked.ask("GET", "/row").body == b"one"
        assert asked.ask("GET", "/row").body == b"two"
        assert server.connections == 2


@pytest.mark.usefixtures("impatient")
def test_a_busy_service_is_asked_again() -> None:
    later = answer("503 The server is busy.", headers=["Retry-After: 1"])
    with Scripted(later, answer("429 Too Many Requests"), answer("200 OK", b"now")) as server:
        assert server.endpoint().ask("POST", "/$batch", body=b"x").body == b"now"
        assert len(server.requests) == 3


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    with Scripted(b"", answer("202 Accepted")) as server:
        assert server.endpoint().ask("POST", "/$batch", body=b"x").status == 202


@pytest.mark.usefixtures("impatient")
def test_a_service_that_stays_away_is_storage_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nobody = Endpoint(f"http://127.0.0.1:{port}", lambda _: "", version="1", tls=_no_context)

    with pytest.raises(ServiceError) as caught:
        nobody.ask("GET", "/row")

    assert caught.value.code == "storage-unavailable"


def test_the_service_is_let_in_by_the_managed_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = Trust(tmp_path)
    with (
        ManagedIdentity() as identity,
        azurite.running(certificate=trust.certificate, key=trust.key) as storage,
    ):
        for name, value in identity.settings().items():
            monkeypatch.setenv(name, value)
        bearer = _bearer(identity)
        where = {"table": storage.table_endpoint, "queue": storage.queue_endpoint}
        versions = {"table": table.VERSION, "queue": wakeups.VERSION}
        by = {
            name: Endpoint(url, bearer, version=versions[name], tls=trust.client_context)
            for name, url in where.items()
        }
        rows = Table(by["table"], "mailboxes")
        queue = Wakeups(by["queue"], queue="wakeups", poison="wakeups-poison")

        rows.commit("p", [Write(Kind.INSERT, "r", {"said": "hei"})])

        found = rows.get("p", "r")
        assert found is not None
        assert found[0]["said"] == "hei"
        assert queue.is_reachable()


def _bearer(identity: ManagedIdentity) -> Bearer:
    import time

    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=identity.client_id)

    def fetch() -> tuple[Secret, float]:
        token = credential.get_token("https://storage.azure.com/.default")
        return Secret(token.token), token.expires_on

    return Bearer(fetch, time.time)


def test_a_token_is_kept_until_minutes_before_its_end() -> None:
    moments = iter([0.0, 100.0, 3_299.0, 3_301.0])
    fetched = iter([(Secret("first"), 3_600.0), (Secret("second"), 9_000.0)])
    bearer = Bearer(lambda: next(fetched), lambda: next(moments))

    shown = [bearer(endpoint.Request("GET", "/")) for _ in range(4)]

    assert shown == ["Bearer first"] * 3 + ["Bearer second"]


def test_a_connection_string_may_name_endpoints_or_leave_them_to_the_rule() -> None:
    named = Secret("AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;")
    plain = Secret("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;")

    assert url_in(named, "table") == "http://127.0.0.1:1/a"
    assert url_in(plain, "queue") == "https://a.queue.core.windows.net"
    with pytest.raises(KeyError):
        SharedKey.of(Secret("AccountName=a"))


def _no_context() -> ssl.SSLContext:
    raise AssertionError("asked for TLS")
