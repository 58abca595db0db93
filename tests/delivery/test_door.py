"""The door to a mailbox: token and connection at the same time, and who knocks in an outage."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import wiring
from shared.accounts.account import Account
from shared.delivery.door import TOKEN, Door
from shared.delivery.failure import Failure
from shared.delivery.sessions import Sessions
from shared.microsoft.submission import Session
from shared.microsoft.token_response import TokenError
from shared.secrecy import Secret
from tests.delivery.post_office import PostOffice

PATIENCE = 10.0


class Tokens:
    """Real access tokens, handed out when *ready* lets them."""

    def __init__(self) -> None:
        self.ready: Callable[[], None] = lambda: None
        self.over = False

    def get(self, account: Account, *, fresh: bool = False) -> Secret:
        try:
            self.ready()
            return wiring.access_tokens().get(account, fresh=fresh)
        finally:
            self.over = True


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def door(tokens: Tokens) -> Iterator[Door]:
    with ThreadPoolExecutor(4) as threads:
        yield Door(
            tokens=lambda: tokens, server=wiring.server, sessions=Sessions(), threads=threads
        )


def test_the_connection_is_made_while_the_token_is_fetched(
    office: PostOffice, door: Door, tokens: Tokens
) -> None:
    account = office.open_account()
    before = office.stack.exchange.counts()["handshakes"]

    def until_tls_is_up() -> None:
        end = time.monotonic() + PATIENCE
        while office.stack.exchange.counts()["handshakes"] == before:
            assert time.monotonic() < end, "nobody connected before the token was there"
            time.sleep(0.01)

    tokens.ready = until_tls_is_up
    session = door.open(account)

    assert isinstance(session, Session)
    session.close()


def test_without_a_token_nobody_signs_in_and_the_next_one_is_waited_for(
    office: PostOffice, door: Door, tokens: Tokens
) -> None:
    account = office.open_account()
    before = office.stack.exchange.counts()

    def fail() -> None:
        raise TokenError("temporarily_unavailable", http_status=503)

    tokens.ready = fail
    failures = [door.open(account) for _ in range(3)]

    assert [one.phase for one in failures if isinstance(one, Failure)] == [TOKEN] * 3
    after = office.stack.exchange.counts()
    assert after.get("authentications", 0) == before.get("authentications", 0)
    assert after["connections"] - before["connections"] <= 1, "only the first one knocked"

    tokens.ready = lambda: None
    for _ in range(2):
        session = door.open(account)
        assert isinstance(session, Session)
        session.close()


def test_no_request_for_a_token_outlives_the_attempt(
    office: PostOffice, door: Door, tokens: Tokens
) -> None:
    account = office.open_account()
    office.stack.exchange.down()

    tokens.ready = lambda: time.sleep(0.3)
    failure = door.open(account)

    assert isinstance(failure, Failure)
    assert failure.phase == "connect"
    assert tokens.over
