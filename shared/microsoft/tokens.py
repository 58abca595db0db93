"""Access tokens in memory: fetched when needed, once per account, kept until near their end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.accounts.account import Account
from shared.errors import ServiceError
from shared.microsoft.token_response import Tokens
from shared.secrecy import Secret

EARLY = timedelta(minutes=5)
"""How long before its end an access token is no longer used."""

WRITE_BACK_AFTER = timedelta(days=7)
"""How old the stored refresh token may get; every write is a version in the vault for ever."""


class StoredToken(Protocol):
    """A refresh token as the vault keeps it."""

    @property
    def token(self) -> Secret:
        """The refresh token."""

    @property
    def written_at(self) -> datetime:
        """When this version was written, UTC."""


class RefreshTokens(Protocol):
    """Where refresh tokens are kept."""

    def get_refresh_token(self, account_id: str) -> StoredToken | None:
        """Return the newest one, or None."""

    def put_refresh_token(self, account_id: str, refresh_token: Secret) -> None:
        """Store a new version."""


class TokenEndpoint(Protocol):
    """Who gives access tokens for refresh tokens."""

    def refresh(self, refresh_token: Secret) -> Tokens:
        """Return fresh tokens or raise TokenError."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AccessTokens:
    """The access tokens of one process; safe for threads.

    A token belongs to the account's generation: after a new connect it is not used again.
    """

    def __init__(
        self,
        *,
        refresh_tokens: RefreshTokens,
        endpoint: TokenEndpoint,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._refresh_tokens = refresh_tokens
        self._endpoint = endpoint
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._sweep_at = clock()
        self._turns = _Turns()

    def get(self, account: Account, *, fresh: bool = False) -> Secret:
        """Return an access token with at least five minutes to go.

        *fresh* asks Entra even when one is held, as after a refused AUTH. Raises TokenError, or
        ServiceError ``no-refresh-token`` and ``vault-unavailable``. The stored refresh token is
        never deleted here: what is refused today can work again tomorrow.
        """
        asked_at = self._clock()
        if not fresh and (held := self._usable(account)):
            return held.token
        with self._turns.take(account.id):
            held = self._usable(account)
            if held and (not fresh or held.since >= asked_at):  # another thread has just asked
                return held.token
            return self._refresh(account)

    def forget(self, account_id: str) -> None:
        """Drop the account's access token from memory."""
        self._held.pop(account_id, None)

    def _usable(self, account: Account) -> "_Held | None":
        held = self._held.get(account.id)
        if held is None or held.generation != account.generation:
            return None
        return held if held.expires_at - EARLY > self._clock() else None

    def _refresh(self, account: Account) -> Secret:
        stored = self._refresh_tokens.get_refresh_token(account.id)
        if stored is None:
            raise ServiceError("no-refresh-token", username=account.username)
        tokens = self._endpoint.refresh(stored.token)
        now = self._clock()
        self._held[account.id] = _Held(
            tokens.access_token, account.generation, since=now, expires_at=tokens.expires_at
        )
        self._drop_ended(now)
        if tokens.refresh_token != stored.token and now - stored.written_at >= WRITE_BACK_AFTER:
            self._refresh_tokens.put_refresh_token(account.id, tokens.refresh_token)
        return tokens.access_token

    def _drop_ended(self, now: datetime) -> None:
        """Let go of what is past its end, so that memory follows use and not history.

        Once in some minutes: to look through all of them for each one that is fetched would cost
        more than the fetching.
        """
        if now < self._sweep_at:
            return
        self._sweep_at = now + EARLY
        for account_id, held in list(self._held.items()):
            if held.expires_at <= now:
                self._held.pop(account_id, None)


@dataclass(frozen=True, slots=True)
class _Held:
    token: Secret
    generation: str
    since: datetime
    expires_at: datetime


class _Turns:
    """One lock per account, there only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._table = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def take(self, account_id: str) -> Iterator[None]:
        """Wait for the account's turn and hold it."""
        with self._table:
            lock, waiting = self._locks.get(account_id, (threading.Lock(), 0))
            self._locks[account_id] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._table:
                lock, waiting = self._locks.pop(account_id)
                if waiting > 1:
                    self._locks[account_id] = (lock, waiting - 1)
