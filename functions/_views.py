"""Accounts and messages as the contract shows them, their problems in the reader's language."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared import wiring
from shared.accounts.account import Account, AccountStatus
from shared.connecting.checks import Check
from shared.guidance import problem_document
from shared.messages.record import MessageStatus, Record
from shared.microsoft.smtp import Reply
from shared.schedule import Rest, Why

type Json = dict[str, Any]

_RESTS = {
    Why.PACED: "mailbox-paced",
    Why.LIMITED: "mailbox-paced",
    Why.TENANT: "tenant-paused",
}
"""How a rest that time ends is explained."""


def account_view(account: Account, *, waiting: int, language: str) -> Json:
    """Return an account as the contract shows it."""
    return {
        "id": account.id,
        "type": account.type,
        "username": account.username,
        "address": account.address,
        "display_name": account.display_name,
        "status": account.status.value,
        "scope": list(account.scope),
        "problem": _obstacle(account, language),
        "waiting": waiting,
        "created_at": timestamp(account.created_at),
        "connected_at": timestamp(account.connected_at),
        "last_sent_at": timestamp(account.last_sent_at),
    }


def message_view(
    record: Record, account: Account, rest: Rest | None, *, language: str, now: datetime
) -> Json:
    """Return a message as the contract shows it; a queued one of a held account is held.

    *rest* is the mailbox's, which a queued message waits for too.
    """
    held = is_held(record, account, now)
    resting = rest if rest and rest.until and rest.until > now else Rest()
    return {
        "id": record.id,
        "account_id": record.account_id,
        "status": (MessageStatus.HELD if held else record.status).value,
        "message_id": record.message_id,
        "subject": record.subject,
        "to": list(record.to),
        "size": record.size,
        "created_at": timestamp(record.created_at),
        "send_at": timestamp(record.send_at),
        "sent_at": timestamp(record.sent_at),
        "next_attempt_at": None if held else _next_attempt(record, resting.until),
        "attempts": [
            {
                "at": timestamp(attempt.at),
                "outcome": attempt.outcome.value,
                "phase": attempt.phase,
                "reply": reply_view(attempt.reply),
            }
            for attempt in record.attempts
        ],
        "refused": [
            {"address": address, "reply": reply_view(reply)} for address, reply in record.refused
        ],
        "problem": _obstacle(account, language)
        or _problem("account-not-connected", {}, account, language)
        if held
        else _trouble(record, account, resting.reason, language),
    }


def _trouble(record: Record, account: Account, why: Why, language: str) -> Json | None:
    """Explain a message's own trouble, or else why it waits, or who will not get it."""
    if record.trouble:
        return _problem(record.trouble.code, record.trouble.values, account, language)
    if record.status is MessageStatus.QUEUED and why in _RESTS:
        return _problem(_RESTS[why], {}, account, language)
    if record.status is MessageStatus.SENT and record.refused:
        return _problem("some-recipients-refused", {}, account, language)
    return None


def is_held(record: Record, account: Account, now: datetime) -> bool:
    """Tell whether a message waits for somebody to act rather than for its time."""
    if record.status is not MessageStatus.QUEUED:
        return False
    if record.send_at and record.send_at > now:
        return False
    return account.status is not AccountStatus.CONNECTED


def _next_attempt(record: Record, rests_until: datetime | None) -> str | None:
    if record.status is not MessageStatus.QUEUED:
        return None
    due = record.next_attempt_at or record.send_at or record.created_at
    return timestamp(max(due, rests_until or due))


def reply_view(reply: Reply | None) -> Json | None:
    """Return a server's reply."""
    if reply is None:
        return None
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}


def _obstacle(account: Account, language: str) -> Json | None:
    if account.obstacle is None:
        return None
    return _problem(account.obstacle.code, account.obstacle.values, account, language)


def _problem(code: str, values: Mapping[str, str], account: Account, language: str) -> Json:
    """Return a problem with the account's own values in its words, commands and links.

    What stands in the account's own way and is for its admin to settle has ``admin_url``, the
    page to forward.
    """
    document = problem_document(
        code,
        language=language,
        public_url=wiring.config().public_url,
        values={**_values(account, code), **values},
    )
    if account.obstacle and account.obstacle.code == code and (page := wiring.admin_url(account)):
        document["admin_url"] = page.reveal()
    return document


def _values(account: Account, code: str) -> dict[str, str]:
    """Return what the words of a problem may say about this account."""
    settings = wiring.config()
    domain = account.username.rpartition("@")[2]
    return {
        "username": account.username,
        "address": account.address,
        "product": settings.product_name,
        "client_id": settings.entra_client_id,
        "tenant": account.identity.tenant_id if account.identity else domain,
        "admin_consent_url": wiring.admin_consent_url(account, code),
    }


def check_view(check: Check, account: Account, language: str) -> Json:
    """Return one connect check, explained where it did not pass."""
    view: Json = {"name": check.name, "status": check.status.value}
    if check.code:
        view["problem"] = _problem(check.code, check.values, account, language)
    return view


def timestamp(moment: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
