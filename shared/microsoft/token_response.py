"""What the token endpoint answers: tokens, or an error (RFC 6749 section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.secrecy import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A successful token response (RFC 6749 section 5.1); times are UTC.

    *refresh_token* is the one to use from now on: rotated, or the one that was sent.
    """

    access_token: Secret
    refresh_token: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What redeeming an authorization code gave: who signed in, what was granted, the token.

    *claims* are those of the ID token, not checked yet but for the nonce; *scope* is the granted
    one (RFC 6749 section 3.3).
    """

    claims: Mapping[str, object]
    scope: tuple[str, ...]
    refresh_token: Secret | None


class TokenError(Exception):
    """Entra gave no tokens: an error response (RFC 6749 sections 4.1.2.1 and 5.2), or nothing.

    *error* and *suberror* decide what is done; *codes* (AADSTS numbers) choose words only, and so
    does *subcode*, which the redirect carries. Without an answer *error* is ``unreachable`` and
    *http_status* 0. *retry_after* is in seconds. *trace_id* finds the event at Microsoft and may
    be logged; the description may not, it can hold names.
    """

    def __init__(
        self,
        error: str,
        *,
        suberror: str | None = None,
        codes: tuple[int, ...] = (),
        http_status: int = 400,
        subcode: str | None = None,
        retry_after: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(error, suberror, codes, http_status, trace_id)
        self.error = error
        self.suberror = suberror
        self.codes = codes
        self.http_status = http_status
        self.subcode = subcode
        self.retry_after = retry_after
        self.trace_id = trace_id
