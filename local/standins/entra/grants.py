"""Authorization codes and refresh tokens: what was granted, and when it no longer counts."""

import base64
import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.standins.directory import Person
from local.standins.entra.application import OIDC_SCOPES
from local.standins.entra.refusals import RefusedError
from local.standins.entra.tokens import Tokens

CODE_SECONDS = 600
CODE_SIZE = 500  # random bytes; real codes are some hundred characters long
REFRESH_SIZE = 900


@dataclass(slots=True)
class Grant:
    """What a person allowed in one sign-in; lives on through its refresh tokens."""

    person: Person
    scopes: frozenset[str]
    mfa: bool
    issued_at: datetime
    expired: bool = False


@dataclass(slots=True)
class Code:
    """An authorization code and what it is bound to."""

    grant: Grant
    redirect_uri: str
    tenant: str
    challenge: str | None
    method: str
    nonce: str | None
    expires_at: float = field(default_factory=lambda: time.time() + CODE_SECONDS)
    redeemed: bool = False


class Grants:
    """Codes and refresh tokens by their text."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._codes: dict[str, Code] = {}
        self._refresh_tokens: dict[str, Grant] = {}

    def clear(self) -> None:
        self._codes.clear()
        self._refresh_tokens.clear()

    def of(self, person: Person) -> list[Grant]:
        """Every grant of *person* that has a refresh token."""
        return [g for g in list(self._refresh_tokens.values()) if g.person is person]

    def expire_codes(self) -> None:
        for code in list(self._codes.values()):
            code.expires_at = 0

    def new_code(self, code: Code) -> str:
        text = self._tokens.opaque("code", CODE_SIZE)
        self._codes[text] = code
        return text

    def new_refresh_token(self, grant: Grant) -> str:
        text = self._tokens.opaque("refresh_token", REFRESH_SIZE)
        self._refresh_tokens[text] = Grant(
            grant.person, grant.scopes, grant.mfa, datetime.now(UTC), grant.expired
        )
        return text

    def redeem(self, form: dict[str, str], tenant: str) -> Code:
        """The code in *form*, used up (RFC 6749 section 4.1.3, RFC 7636 section 4.6)."""
        for parameter in ("code", "redirect_uri"):
            if not form.get(parameter):
                raise RefusedError(900144, parameter=parameter)
        code = self._codes.get(form["code"])
        if code is None:
            raise RefusedError(9002313)
        if code.redeemed:
            raise RefusedError(54005)
        if code.expires_at < time.time():
            raise RefusedError(70008)
        if code.tenant != tenant:
            raise RefusedError(700005)
        if code.redirect_uri != form["redirect_uri"]:
            raise RefusedError(50011, redirect_uri=form["redirect_uri"])
        _check_verifier(code, form.get("code_verifier", ""))
        code.redeemed = True
        check_person(code.grant, None)
        return code

    def refresh(self, form: dict[str, str], scopes: frozenset[str]) -> Grant:
        """The grant behind the refresh token in *form* (RFC 6749 section 6)."""
        if not form.get("refresh_token"):
            raise RefusedError(900144, parameter="refresh_token")
        grant = self._refresh_tokens.get(form["refresh_token"])
        if grant is None:
            raise RefusedError(9002313)
        check_person(grant, scopes)
        return grant


def check_person(grant: Grant, scopes: frozenset[str] | None) -> None:
    """Whether tokens may still be issued for *grant*; *scopes* is None right after the sign-in."""
    person = grant.person
    if not person.enabled:
        raise RefusedError(50057)
    _check_age(grant)
    if person.tenant.application_disabled:
        raise RefusedError(7000112)
    if person.blocked:
        raise RefusedError(53003)
    if person.mfa_required and not grant.mfa:
        raise RefusedError(50076, resource="00000002-0000-0ff1-ce00-000000000000")
    if scopes is None:
        return
    consented = (person.consent | person.tenant.admin_consent) & grant.scopes
    if not scopes - OIDC_SCOPES <= consented:
        raise RefusedError(65001, username=person.username)


def _check_age(grant: Grant) -> None:
    person = grant.person
    if grant.expired:
        raise RefusedError(700082, issued=f"{grant.issued_at:%Y-%m-%dT%H:%M:%S.%f}Z")
    if grant.issued_at < person.valid_from:
        raise RefusedError(
            50173,
            issued=f"{grant.issued_at:%Y-%m-%dT%H:%M:%S.%f}Z",
            valid_from=f"{person.valid_from:%Y-%m-%dT%H:%M:%S.%f}Z",
        )


def _check_verifier(code: Code, verifier: str) -> None:
    if code.challenge is None:
        return
    if not verifier:
        raise RefusedError(501481)
    digest = hashlib.sha256(verifier.encode()).digest()
    proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if (proof if code.method == "S256" else verifier) != code.challenge:
        raise RefusedError(501481)
