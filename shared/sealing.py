"""Sealing: what we hand to a browser comes back whole and unread, or not at all (AES-256-GCM)."""

import json
import re
import secrets
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import ServiceError
from shared.secrecy import Secret

ROTATE_AFTER = timedelta(days=30)
"""Age at which the newest key gets a successor, and a successor lets its predecessor go."""

_KEPT = 3600.0  # seconds; how long keys are held before the vault is asked again
_PATIENCE = 1.0  # seconds between two questions to the vault about keys that nobody knows
_LONGEST = 16_384  # characters; longer than a browser sends, so not worth a decryption
_SHAPE = re.compile(r"([0-9A-Za-z]{1,64})\.([A-Za-z0-9_-]{38,})")


class SealBrokenError(Exception):
    """The text was not sealed by us, for this purpose, with a key that is still live."""


class SealExpiredError(Exception):
    """The text was sealed by us, and its time is over."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One version of the key: 32 bytes, as base64url text."""

    version: str
    key: Secret
    created_at: datetime


class SealingKeys(Protocol):
    """Where the versions of the key are kept."""

    def live_sealing_keys(self) -> list[SealingKey]:
        """Return the enabled versions, newest first."""

    def add_sealing_key(self, key: Secret) -> None:
        """Store a new version."""

    def retire_sealing_key(self, version: str) -> None:
        """Disable a version."""


class Seal:
    """Seals and opens texts ``<key version>.<nonce and ciphertext>``; one per process.

    The purpose is authenticated with the text, so that what was sealed as one thing cannot be
    presented as another. *clock* counts seconds and never goes back.
    """

    def __init__(self, keys: SealingKeys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._reading = threading.Lock()
        self._live: dict[str, SealingKey] = {}
        self._newest: SealingKey | None = None
        self._read_at = float("-inf")
        self._in_vain_at = float("-inf")
        self._failed_at = float("-inf")
        self._failure = ""

    def seal(self, purpose: str, payload: dict[str, Any], *, expires: datetime) -> Secret:
        """Return *payload* (JSON) sealed for *purpose*, to be opened until *expires*."""
        key = self._newest_key()
        nonce = secrets.token_bytes(12)
        text = json.dumps({"until": expires.timestamp(), "payload": payload}).encode()
        sealed = nonce + _cipher(key).encrypt(nonce, text, _bound(purpose, key.version))
        return Secret(f"{key.version}.{_encode(sealed)}")

    def open(self, purpose: str, text: str, *, now: datetime) -> dict[str, Any]:
        """Return the payload of *text*; raises SealBrokenError or SealExpiredError."""
        match = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
        key = self._key(match[1]) if match else None
        if match is None or key is None:
            raise SealBrokenError
        try:
            sealed = _decode(match[2])
            opened = _cipher(key).decrypt(sealed[:12], sealed[12:], _bound(purpose, key.version))
        except (InvalidTag, ValueError):
            raise SealBrokenError from None
        held = json.loads(opened)
        if now.timestamp() >= held["until"]:
            raise SealExpiredError
        payload: dict[str, Any] = held["payload"]
        return payload

    def rotate(self, now: datetime) -> bool:
        """Add a key when the newest is 30 days old; tell whether it did.

        Called by the daily timer. A key whose successor is 30 days old is disabled: what it sealed
        has long expired. So two are live, or more for a month when several processes made the
        first one at the same time; none of them goes while anything sealed with it may be open.
        """
        live = self._keys.live_sealing_keys()
        added = not live or now - live[0].created_at >= ROTATE_AFTER
        if added:
            self._keys.add_sealing_key(_fresh_key())
            live = self._keys.live_sealing_keys()
        spent = {
            key.version
            for successor, key in pairwise(live)
            if now - successor.created_at >= ROTATE_AFTER
        }
        for version in spent:
            self._keys.retire_sealing_key(version)
        with self._reading:
            self._hold([key for key in live if key.version not in spent])
        return added

    def _newest_key(self) -> SealingKey:
        """Return the key to seal with, making the first one when there is none yet.

        Two processes may both make one: both are live, and all read back which is the newest.
        """
        with self._reading:
            if self._newest is None or self._clock() - self._read_at >= _KEPT:
                live = self._ask()
                if not live:
                    self._keys.add_sealing_key(_fresh_key())
                    live = self._keys.live_sealing_keys()
                self._hold(live)
            if self._newest is None:
                raise RuntimeError("the vault kept no sealing key")
            return self._newest

    def _key(self, version: str) -> SealingKey | None:
        """Return a live key, or None.

        For an unknown one the vault is asked, since another process may just have made it; for
        those that it does not know either, once a second at most.
        """
        with self._reading:
            is_old = self._clock() - self._read_at >= _KEPT
            may_ask = self._clock() - self._in_vain_at >= _PATIENCE
            if is_old or (version not in self._live and may_ask):
                self._hold(self._ask())
                if version not in self._live:
                    self._in_vain_at = self._clock()
            return self._live.get(version)

    def _ask(self) -> list[SealingKey]:
        """Read the live keys; what just failed fails again at once: not all have to wait."""
        if self._clock() - self._failed_at < _PATIENCE:
            raise ServiceError(self._failure)
        try:
            return self._keys.live_sealing_keys()
        except ServiceError as error:
            self._failed_at, self._failure = self._clock(), error.code
            raise

    def _hold(self, live: list[SealingKey]) -> None:
        self._live = {key.version: key for key in live}
        self._newest = live[0] if live else None
        self._read_at = self._clock()


def _fresh_key() -> Secret:
    return Secret(_encode(secrets.token_bytes(32)))


def _cipher(key: SealingKey) -> AESGCM:
    return AESGCM(_decode(key.key.reveal()))


def _bound(purpose: str, version: str) -> bytes:
    """Return what is authenticated along with the text: its purpose and its key's version."""
    return f"{purpose}\n{version}".encode()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Decode base64url without padding, refusing other spellings of the same bytes."""
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(raw) != text:
        raise ValueError("not the canonical base64url")
    return raw
