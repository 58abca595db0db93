"""The SASL mechanism XOAUTH2: a sign-in name and an access token as one response."""

import re
from base64 import b64encode

from shared.secrecy import Secret

LONGEST_RESPONSE = 12288 - 2
"""Octets a line of an authentication exchange may have without its CRLF (RFC 4954 section 4)."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class ResponseError(ValueError):
    """No response can be made of these values; the message repeats neither of them."""


def encode_response(user: str, access_token: Secret) -> bytes:
    """Return the base64 of ``user=<user> ^A auth=Bearer <token> ^A ^A``, without a line end.

    *user* is who signed in at Microsoft, also where the mail is sent from a shared mailbox. The
    token has the syntax of RFC 6750 section 2.1. Raises ResponseError for control characters and
    for what would be longer than RFC 4954 allows.
    """
    token = access_token.reveal()
    if not user or _UNFIT.search(user) or _BEARER.fullmatch(token) is None:
        raise ResponseError("the user name or the access token is malformed")
    response = b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode())
    if len(response) > LONGEST_RESPONSE:
        raise ResponseError("the access token is too long for SMTP")
    return response
