"""Access tokens: one refresh for many threads, held until near their end, never deleted."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.accounts.account import Account, AccountStatus
from shared.errors import ServiceError
from shared.microsoft.token_response import TokenError, Tokens
from shared.microsoft.tokens import AccessTokens
from shared.secrecy import Secret

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = Account(
    id="01jdabcdefghjkmnpqrstvwxyz",
    customer="c1",
    username="kari@firma.no",
    address="kari@firma.no",
    display_name=None,
    status=AccountStatus.CONNECTED,
    scope=(),
    generation="g1",
    created_at=NOW,
)


@dataclass
class Stored:
    token: Secret
    written_at: datetime


class Vault:
    """One refresh token, and what was written over it."""

    def __init__(self, age: timedelta = timedelta(0)) -> None:
        self.stored: Stored | None = Stored(Secret("rt-0"), NOW - age)
        self.written: list[Secret] = []

    def get_refresh_token(self, _account_id: str) -> Stored | None:
        return self.stored

    def put_refresh_token(self, _account_id: str, refresh_token: Secret) -> None:
        self.written.append(refresh_token)


class Endpoint:
    """Gives numbered tokens, slowly, or raises."""

    def __init__(self, now: Callable[[], datetime], seconds: float = 0.0) -> None:
        self.now, self.seconds = now, seconds
        self.asked = 0
        self.error: TokenError | None = None

    def refresh(self, _refresh_token: Secret) -> Tokens:
        self.asked += 1
        number = self.asked
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        return Tokens(
            access_token=Secret(f"at-{number}"),
            refresh_token=Secret(f"rt-{number}"),
            expires_at=self.now() + timedelta(minutes=75),
        )


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


def made(
    age: timedelta = timedelta(0), seconds: float = 0.0
) -> tuple[AccessTokens, Endpoint, Vault, Clock]:
    clock, vault = Clock(), Vault(age)
    endpoint = Endpoint(clock, seconds)
    return (
        AccessTokens(refresh_tokens=vault, endpoint=endpoint, clock=clock),
        endpoint,
        vault,
        clock,
    )


def test_a_token_is_held_until_five_minutes_before_its_end() -> None:
    tokens, endpoint, _, clock = made()
    first = tokens.get(ACCOUNT)

    clock.moment = NOW + timedelta(minutes=69)
    assert tokens.get(ACCOUNT) == first
    clock.moment = NOW + timedelta(minutes=70)
    assert tokens.get(ACCOUNT) != first
    assert endpoint.asked == 2


def test_many_threads_ask_entra_once() -> None:
    tokens, endpoint, _, _ = made(seconds=0.05)

    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: tokens.get(ACCOUNT), range(64)))

    assert len(found) == 1
    assert endpoint.asked == 1


def test_accounts_do_not_wait_for_each_other() -> None:
    tokens, _, _, _ = made(seconds=0.2)
    others = [replace(ACCOUNT, id=f"account{number}") for number in range(8)]

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(tokens.get, others))

    assert time.monotonic() - begun < 0.8


def test_fresh_asks_again_and_twins_share_the_answer() -> None:
    tokens, endpoint, _, clock = made(seconds=0.05)
    tokens.get(ACCOUNT)
    clock.moment += timedelta(seconds=1)
    barrier = threading.Barrier(8)

    def fresh(_: int) -> Secret:
        barrier.wait()
        return tokens.get(ACCOUNT, fresh=True)

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(fresh, range(8)))

    assert found == {Secret("at-2")}
    assert endpoint.asked == 2


def test_after_a_new_connect_the_old_token_is_not_used() -> None:
    tokens, endpoint, _, _ = made()
    tokens.get(ACCOUNT)

    tokens.get(replace(ACCOUNT, generation="g2"))

    assert endpoint.asked == 2


@pytest.mark.parametrize(("age", "writes"), [(6, 0), (7, 1), (80, 1)])
def test_the_rotated_token_is_written_back_when_the_stored_one_is_a_week_old(
    age: int, writes: int
) -> None:
    tokens, _, vault, _ = made(timedelta(days=age))

    tokens.get(ACCOUNT)

    assert len(vault.written) == writes


def test_a_refusal_is_passed_on_and_nothing_is_written_or_held() -> None:
    tokens, endpoint, vault, _ = made(timedelta(days=80))
    endpoint.error = TokenError("invalid_grant", codes=(50173,))
    with pytest.raises(TokenError):
        tokens.get(ACCOUNT)

    endpoint.error = None

    assert tokens.get(ACCOUNT) == Secret("at-2")
    assert vault.stored is not None


def test_without_a_refresh_token_it_says_so() -> None:
    tokens, _, vault, _ = made()
    vault.stored = None

    with pytest.raises(ServiceError, match="no-refresh-token"):
        tokens.get(ACCOUNT)


def test_memory_follows_use_and_not_history() -> None:
    tokens, _, _, clock = made()
    for number in range(200):
        tokens.get(replace(ACCOUNT, id=f"account{number}"))

    clock.moment += timedelta(hours=2)
    tokens.get(ACCOUNT)

    assert len(tokens._held) == 1
    assert tokens._turns._locks == {}
