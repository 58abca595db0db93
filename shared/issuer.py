"""The issuer's public keys: found by OpenID Connect Discovery, kept, fetched with restraint."""

import json
import logging
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, override
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import ServiceError

FRESH_SECONDS = 3600
"""How long the keys are taken as they are."""

PAUSE_SECONDS = 30
BURST = 5
"""How often at most the issuer is asked for keys that are not known: so often in a row, and then
once in that many seconds. Anybody can name a key that does not exist."""

STALE_PAUSE_SECONDS = 300
"""How often at most an issuer that does not answer is asked while its old keys still serve."""

FIRST_PAUSE_SECONDS = 1
"""How often at most the issuer is asked while no key is known at all."""

_TIMEOUT_SECONDS = 5
_LARGEST_DOCUMENT = 512 * 1024
_LARGEST_KEY_SET = 100
_SMALLEST_RSA_KEY = 2048

_log = logging.getLogger(__name__)


class IssuerError(Exception):
    """The issuer did not answer, or not as OpenID Connect Discovery 1.0 and RFC 7517 have it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One public key. *algorithm* follows from its type, whatever a token may say."""

    id: str | None
    algorithm: str
    public_key: RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of *issuer*, the exact text of its tokens' ``iss``; fetched at that clock time."""

    issuer: str
    keys: tuple[SigningKey, ...]
    fetched_at: float

    def find(self, key_id: str | None, algorithm: str) -> SigningKey | None:
        """Return the key that a token's header names, or the only one it can mean."""
        fitting = [key for key in self.keys if key.algorithm == algorithm]
        named = [key for key in fitting if key.id == key_id] if key_id is not None else fitting
        return named[0] if len(named) == 1 else None


class IssuerKeys:
    """The key set of *issuer*, shared by all threads; one of them fetches at a time.

    *fetch* returns the document at a URL or raises IssuerError; *clock* is in seconds.
    """

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer.rstrip("/")
        self._fetch = fetch or Fetcher()
        self._clock = clock
        self._lock = threading.Lock()
        self._known: KeySet | None = None
        self._asked_at = float("-inf")
        self._allowance = float(BURST)
        self._refilled_at = clock()
        self.is_answering = True

    def current(self, key_id: str | None, algorithm: str | None = None) -> KeySet:
        """Return the keys to judge a token by; asks the issuer when they are old or lack the key.

        Old keys serve on while the issuer does not answer. Raises ServiceError
        ``callers-unavailable`` when there are none at all.
        """
        known = self._known
        lacks_key = known is None or (
            algorithm is not None and known.find(key_id, algorithm) is None
        )
        if known is None or lacks_key or self._clock() - known.fetched_at >= FRESH_SECONDS:
            # Whoever can be judged by the old keys does not wait for another's fetch.
            if self._lock.acquire(timeout=3 * _TIMEOUT_SECONDS if lacks_key else 0):
                try:
                    if self._known is known:  # else another thread has just asked
                        self._ask_with_restraint(lacks_key=lacks_key)
                finally:
                    self._lock.release()
            known = self._known
        if known is None:
            raise ServiceError("callers-unavailable", retry_after=FIRST_PAUSE_SECONDS)
        return known

    def _ask_with_restraint(self, *, lacks_key: bool) -> None:
        if not self._may_ask(lacks_key=lacks_key):
            return
        try:
            self._known = self._ask()
            self.is_answering = True
        except IssuerError as error:
            self.is_answering = False
            _log.warning("event=issuer_unreachable reason=%s", error)
        self._asked_at = self._clock()

    def _may_ask(self, *, lacks_key: bool) -> bool:
        now = self._clock()
        since = now - self._asked_at
        if self._known is None:
            return since >= FIRST_PAUSE_SECONDS
        if not lacks_key:
            return since >= STALE_PAUSE_SECONDS
        gained = (now - self._refilled_at) / PAUSE_SECONDS
        self._allowance = min(BURST, self._allowance + max(0.0, gained))
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _ask(self) -> KeySet:
        discovery = self._document(f"{self._issuer}/.well-known/openid-configuration")
        issuer = discovery.get("issuer")
        if not isinstance(issuer, str) or issuer.removesuffix("/") != self._issuer:
            raise IssuerError("discovery names another issuer")
        location = discovery.get("jwks_uri")
        allowed = {"https", urlsplit(self._issuer).scheme}
        if not isinstance(location, str) or _scheme(location) not in allowed:
            raise IssuerError("discovery names no usable jwks_uri")
        found = self._document(location).get("keys")
        keys = tuple(_usable(found[:_LARGEST_KEY_SET])) if isinstance(found, list) else ()
        if not keys:
            raise IssuerError("the key set holds no usable key")
        return KeySet(issuer, keys, self._clock())

    def _document(self, url: str) -> Mapping[str, Any]:
        try:
            document = json.loads(self._fetch(url))
        except (ValueError, RecursionError):
            raise IssuerError("a document is not JSON") from None
        if not isinstance(document, dict):
            raise IssuerError("a document is not a JSON object")
        return document


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _usable(entries: list[object]) -> list[SigningKey]:
    """Return the keys that may sign: RSA of 2048 bits and more, or EC on P-256 (RFC 7518)."""
    keys = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm:
            continue
        key = _public_key(entry, algorithm)
        key_id = entry.get("kid")
        if key is not None and (key_id is None or isinstance(key_id, str)):
            keys.append(SigningKey(key_id, algorithm, key))
    return keys


def _public_key(
    entry: dict[str, Any], algorithm: str
) -> RSAPublicKey | EllipticCurvePublicKey | None:
    try:
        key = jwt.PyJWK(entry, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST_RSA_KEY:
        return key
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key
    return None


class Fetcher:
    """Fetches documents over HTTP: no redirects, at most five seconds and 512 KiB."""

    def __init__(self) -> None:
        self._opener: urllib.request.OpenerDirector | None = None

    def __call__(self, url: str) -> bytes:
        """Return the document at *url*; raises IssuerError."""
        if self._opener is None:  # a TLS context costs 20 ms, so there is one, when it is needed
            tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
            self._opener = urllib.request.build_opener(tls, _NoRedirect())
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        content = bytearray()
        try:
            with self._opener.open(url, timeout=_TIMEOUT_SECONDS) as response:
                while chunk := response.read1(65536):
                    content += chunk
                    if len(content) > _LARGEST_DOCUMENT or time.monotonic() > deadline:
                        raise IssuerError("a document is too large or too slow")
        except (OSError, HTTPException, ValueError) as error:
            raise IssuerError(type(error).__name__) from None
        return bytes(content)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the failure it is here: neither standard allows for one."""

    @override
    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        return None
