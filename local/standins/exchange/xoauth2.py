"""XOAUTH2 as Exchange checks it: the SASL string, the token, the mailbox's switches."""

import base64
import binascii
import re
import time
from typing import TYPE_CHECKING

from local.standins.exchange.mailboxes import Mailbox

if TYPE_CHECKING:
    from local.standins.exchange.server import Exchange

RESPONSE = re.compile(r"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01")
CHALLENGE = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"SMTP.Send"}').decode()
UNSUCCESSFUL = "535 5.7.3 Authentication unsuccessful"
DISABLED = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the {who}. "
    "Visit https://aka.ms/smtp_auth_disabled for more information."
)


def check(line: bytes, exchange: "Exchange") -> Mailbox | str:
    """The mailbox that *line* authenticates, or the refusal."""
    user = _authenticated(line, exchange)
    mailbox = exchange.mailboxes.submitter(user) if user else None
    if mailbox is None:
        return UNSUCCESSFUL
    if not mailbox.may_use_smtp():
        return DISABLED.format(who="Tenant" if mailbox.smtp_auth is None else "Mailbox")
    return mailbox


def _authenticated(line: bytes, exchange: "Exchange") -> str | None:
    """The user that *line* names, when the token is theirs, for SMTP.Send, and not expired."""
    try:
        text = base64.b64decode(line, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None  # a lone * too: RFC 4954 wants 501, Exchange says 535
    found = RESPONSE.fullmatch(text)
    token = exchange.read_token(found[2]) if found else None
    if found is None or token is None:
        return None
    if token.expires_at < time.time() or "SMTP.Send" not in token.scopes:
        return None
    return token.username if token.username.lower() == found[1].lower() else None
