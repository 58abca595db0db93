"""Who calls: bearer tokens of the product's own identity provider (RFC 6750, RFC 7519)."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jwt

from shared.caller import Caller
from shared.errors import ServiceError
from shared.issuer import PAUSE_SECONDS, IssuerKeys

ALGORITHMS = ("RS256", "ES256")
_LEEWAY_SECONDS = 60
_LARGEST_TOKEN = 16 * 1024
_LONGEST_CUSTOMER = 256
_LONGEST_NAME = 200

_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class CallerVerifier:
    """Checks callers' tokens against *issuer*, *audience* and the time.

    *customer_claim* names the claim that says whose data a caller may see. *fetch* and *clock*
    are those of ``IssuerKeys``.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        customer_claim: str,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = IssuerKeys(issuer, fetch=fetch, clock=clock)
        self._audience = audience
        self._customer_claim = customer_claim
        self._clock = clock

    def verify(self, authorization: str | None) -> Caller:
        """Return who sent this ``Authorization`` header.

        Raises ServiceError: ``unauthenticated`` (no bearer token, RFC 6750 section 3.1: no error
        code), ``invalid-token`` (with ``reason``, an English phrase fit for
        ``error_description``), or ``callers-unavailable`` when the issuer's keys are unknown.
        """
        token = _bearer_token(authorization)
        header = _header(token)
        algorithm, key_id = header["alg"], header.get("kid")
        keys = self._keys.current(key_id, algorithm)
        key = keys.find(key_id, algorithm)
        if key is None and not self._keys.is_answering:
            raise ServiceError("callers-unavailable", retry_after=PAUSE_SECONDS)
        if key is None:
            _refuse("it was signed with a key that is not the issuer's")
        try:
            payload = jwt.PyJWS().decode(token, key.public_key, algorithms=[key.algorithm])
        except jwt.PyJWTError:
            _refuse("its signature does not hold")
        claims = _object(payload)
        self._check(claims, keys.issuer)
        return Caller(self._customer(claims), _user(claims), _scopes(claims))

    def is_reachable(self) -> bool:
        """Tell whether the issuer's keys are known and it answered when last asked."""
        try:
            self._keys.current(None)
        except ServiceError:
            return False
        return self._keys.is_answering

    def _check(self, claims: Mapping[str, Any], issuer: str) -> None:
        """Check ``iss``, ``aud``, ``exp`` and ``nbf`` (RFC 7519 section 4.1)."""
        if claims.get("iss") != issuer:
            _refuse("it is from another issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            _refuse("it is for another audience")
        now = self._clock()
        if now >= _moment(claims, "exp") + _LEEWAY_SECONDS:
            _refuse("it has expired")
        if "nbf" in claims and now < _moment(claims, "nbf") - _LEEWAY_SECONDS:
            _refuse("it is not valid yet")

    def _customer(self, claims: Mapping[str, Any]) -> str:
        customer = claims.get(self._customer_claim)
        if not isinstance(customer, str) or not customer.strip() or not customer.isprintable():
            _refuse("it does not say for which customer it is")
        if len(customer) > _LONGEST_CUSTOMER:
            _refuse("its customer is too long")
        return customer


def _refuse(reason: str) -> NoReturn:
    raise ServiceError("invalid-token", reason=reason) from None


def _bearer_token(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        raise ServiceError("unauthenticated")
    token = token.strip()
    if len(token) > _LARGEST_TOKEN or not _COMPACT.fullmatch(token):
        _refuse("it is not a signed JWT")
    return token


def _header(token: str) -> Mapping[str, Any]:
    """Read the JOSE header (RFC 7515 section 4); nothing of it is trusted but as a choice."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        _refuse("it is not a signed JWT")
    if header.get("alg") not in ALGORITHMS:
        _refuse("it is not signed with RS256 or ES256")
    if "crit" in header or "b64" in header:
        _refuse("its header asks for an extension")
    if not isinstance(header.get("kid", ""), str):
        _refuse("it is not a signed JWT")
    return header


def _object(payload: object) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload) if isinstance(payload, bytes) else None
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        _refuse("its claims are not a JSON object")
    return claims


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(f"its {name} is missing or not a time")
    return value


def _user(claims: Mapping[str, Any]) -> str | None:
    """Return how a person would know who called: a name, a sign-in name, else the subject."""
    for name in ("name", "preferred_username", "email", "sub"):
        value = claims.get(name)
        if isinstance(value, str) and value.strip():
            shown = "".join(one if one.isprintable() else " " for one in value[:_LONGEST_NAME])
            return " ".join(shown.split()) or None
    return None


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the granted scopes: ``scp`` or ``scope``, a list or text (RFC 9068, RFC 8693)."""
    found: set[str] = set()
    for name in ("scp", "scope"):
        value = claims.get(name)
        words = value.split() if isinstance(value, str) else value
        found |= (
            {one for one in words if isinstance(one, str)} if isinstance(words, list) else set()
        )
    return frozenset(found)
