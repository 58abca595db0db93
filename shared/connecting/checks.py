"""The connect checks: everything that can be tried without sending mail, and what it showed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.accounts.account import REQUESTED_SCOPE, Account, Obstacle
from shared.errors import ServiceError
from shared.guidance import Disposition, Guidance, for_code
from shared.microsoft.explanation import explain_submission, explain_token_error, one_line
from shared.microsoft.token_response import TokenError
from shared.microsoft.transaction import Phase, SubmissionError
from shared.secrecy import Secret

SENDING_SCOPE = REQUESTED_SCOPE[0]
"""The one right that sending needs."""

PATIENCE = 15
"""Seconds that Exchange gets to answer while a person waits for the page."""


class CheckStatus(StrEnum):
    """How a check ended; one that an earlier failure left untried is skipped."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, how it ended, and the guidance row that explains it."""

    name: str
    status: CheckStatus
    code: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


class AccessTokens(Protocol):
    """Where access tokens come from (``shared.microsoft.tokens``)."""

    def get(self, account: Account, *, fresh: bool = False) -> Secret:
        """Return an access token or raise TokenError or ServiceError."""


class Session(Protocol):
    """An authenticated SMTP session."""

    def try_sender(self, mail_from: str) -> None:
        """Offer a sender and take the offer back, or raise SubmissionError."""

    def close(self) -> None:
        """End it."""


class Server(Protocol):
    """Exchange's submission server (``shared.microsoft.submission``)."""

    def open(
        self, user: str, access_token: Callable[[], Secret], *, deadline: float | None = None
    ) -> Session:
        """Connect, STARTTLS and AUTH before *deadline*, or raise SubmissionError."""


def run(account: Account, *, tokens: AccessTokens, server: Server) -> list[Check]:
    """Try everything short of a message, with a fresh access token, in the order of the list.

    Raises only what is neither Entra's nor Exchange's word: ServiceError ``vault-unavailable``.
    """
    checks = [_identity(account), _scope(account)]
    try:
        access_token = tokens.get(account, fresh=True)
    except TokenError as error:
        found = explain_token_error(error)
        return [
            *checks,
            _failed("refresh_token", found.code),
            *_skipped("starttls", "auth", "sender"),
        ]
    except ServiceError as error:
        if error.code != "no-refresh-token":
            raise
        return [
            *checks,
            _failed("refresh_token", error.code),
            *_skipped("starttls", "auth", "sender"),
        ]
    return [
        *checks,
        Check("refresh_token", CheckStatus.PASS),
        *_submission(account, access_token, server),
    ]


def is_ok(checks: Sequence[Check]) -> bool:
    """Tell whether nothing failed."""
    return all(check.status is not CheckStatus.FAIL for check in checks)


def obstacle(checks: Sequence[Check], now: datetime) -> Obstacle | None:
    """Return what stands in the way until somebody acts; what passes by itself does not count."""
    for check in checks:
        if (
            check.status is CheckStatus.FAIL
            and check.code
            and needs_somebody(for_code(check.code))
        ):
            return Obstacle(check.code, dict(check.values), now)
    return None


def needs_somebody(guidance: Guidance) -> bool:
    """Tell whether mail has to be held for somebody, rather than tried again."""
    return guidance.disposition in (Disposition.HOLD, Disposition.REFRESH)


def _identity(account: Account) -> Check:
    """Look at the identity, checked when it was stored; a new username needs a new connect."""
    if account.identity is None:
        return _failed("identity", "not-connected")
    if account.identity.username.casefold() != account.username.casefold():
        return _failed("identity", "wrong-account", signed_in_as=account.identity.username)
    return Check("identity", CheckStatus.PASS)


def _scope(account: Account) -> Check:
    if account.identity is None:
        return Check("scope", CheckStatus.SKIP)
    if not holds_sending_scope(account.scope):
        return _failed("scope", "scope-not-granted")
    return Check("scope", CheckStatus.PASS)


def holds_sending_scope(scope: Sequence[str]) -> bool:
    """Tell whether *scope* lets us send; older tenants answer with Outlook's other host name."""
    return any(one.casefold().rsplit("/", 1)[-1] == "smtp.send" for one in scope)


def _submission(account: Account, access_token: Secret, server: Server) -> list[Check]:
    """Sign in to Exchange and offer the sender: all of a message's dialogue but the message."""
    try:
        deadline = time.monotonic() + PATIENCE
        session = server.open(account.username, lambda: access_token, deadline=deadline)
    except SubmissionError as error:
        return _refused(error)
    passed = [Check("starttls", CheckStatus.PASS), Check("auth", CheckStatus.PASS)]
    try:
        session.try_sender(account.address)
    except SubmissionError as error:
        return [*passed, _unsubmitted("sender", error)]
    finally:
        session.close()
    return [*passed, _sender(account)]


def _refused(error: SubmissionError) -> list[Check]:
    if error.phase in (Phase.CONNECT, Phase.STARTTLS):
        return [_unsubmitted("starttls", error), *_skipped("auth", "sender")]
    passed = Check("starttls", CheckStatus.PASS)
    return [passed, _unsubmitted("auth", error), *_skipped("sender")]


def _unsubmitted(name: str, error: SubmissionError) -> Check:
    values = {"reply": one_line(error.reply)} if error.reply else {}
    return _failed(name, explain_submission(error).code, **values)


def _sender(account: Account) -> Check:
    """Pass the user's own address; whether another may be used only a message can show.

    Exchange judges the sender when it has the content, though it may refuse it at MAIL already.
    """
    if account.address.casefold() == account.username.casefold():
        return Check("sender", CheckStatus.PASS)
    return Check("sender", CheckStatus.SKIP, "sender-unproved")


def _failed(name: str, code: str, **values: str) -> Check:
    return Check(name, CheckStatus.FAIL, code, values)


def _skipped(*names: str) -> list[Check]:
    return [Check(name, CheckStatus.SKIP) for name in names]
