"""The door to a mailbox: a token, an authenticated session, and what a refusal of either means."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from shared.accounts.account import Account
from shared.delivery.failure import Failure
from shared.delivery.sessions import KEPT_SECONDS, Sessions
from shared.errors import ServiceError
from shared.guidance import Disposition, for_code
from shared.microsoft.explanation import explain_submission, explain_token_error, one_line
from shared.microsoft.submission import Session, SubmissionError
from shared.microsoft.token_response import TokenError
from shared.secrecy import Secret

TOKEN = "token"  # noqa: S105 - the name of a phase
"""The phase before the SMTP session: getting an access token."""

LONGEST_ASKED = timedelta(hours=1)
"""A ``Retry-After`` of Entra's counts up to this."""

_log = logging.getLogger(__name__)


class AccessTokens(Protocol):
    """Where access tokens come from."""

    def get(self, account: Account, *, fresh: bool = False) -> Secret:
        """Return one that is good for minutes; a *fresh* one was not used before."""


class Server(Protocol):
    """The submission server."""

    def open(self, user: str, access_token: Callable[[], Secret]) -> Session:
        """Open an authenticated session; the token is asked for when it is its turn."""


class Door:
    """Opens sessions, keeps idle ones, and tells failures by their facts.

    *threads* fetch tokens while the connection is made, which takes as long. Once one was not to
    be had, the next is waited for first: an outage of Entra's is not to knock at Exchange's door.
    """

    def __init__(
        self,
        *,
        tokens: Callable[[], AccessTokens],
        server: Callable[[], Server],
        sessions: Sessions,
        threads: Executor,
    ) -> None:
        self._tokens = tokens
        self._server = server
        self._sessions = sessions
        self._threads = threads
        self._tokens_come = True
        self.keeps_for = timedelta(seconds=KEPT_SECONDS)

    def open(self, account: Account) -> Session | Failure:
        """Return an authenticated session for *account*, or what stands in the way.

        A token that the server does not take is refreshed and tried once more.
        """
        if kept := self._sessions.take(account.id, account.generation):
            return kept
        failure = self._try(account, fresh=False)
        if isinstance(failure, Failure) and failure.guidance.disposition is Disposition.REFRESH:
            return self._try(account, fresh=True)
        return failure

    def _try(self, account: Account, *, fresh: bool) -> Session | Failure:
        # The signed-in person, never the mailbox sent from: Exchange wants the token's owner.
        user = account.identity.username if account.identity else account.username
        token = self._threads.submit(self._tokens().get, account, fresh=fresh)
        try:
            if not self._tokens_come:
                token.result()
            return self._server().open(user, token.result)
        except TokenError as error:
            return self._token_failure(error)
        except ServiceError as error:
            return Failure(phase=TOKEN, guidance=for_code(error.code), values=error.values)
        except SubmissionError as error:
            return self.failure(error)
        finally:
            # This waits for it: nothing of an attempt goes on behind the lease's back.
            self._tokens_come = token.exception() is None

    def _token_failure(self, error: TokenError) -> Failure:
        guidance = explain_token_error(error)
        if guidance.disposition is Disposition.OUTAGE:
            _log.error(
                "event=client_credential_failing error=%s codes=%s", error.error, error.codes
            )
        if error.retry_after:
            asked = min(timedelta(seconds=error.retry_after), LONGEST_ASKED)
            guidance = replace(guidance, pause=max(asked, guidance.pause or asked))
        values = {"reply": error.error}
        return Failure(phase=TOKEN, guidance=guidance, values=values, reason=error.error)

    def keep(self, account: Account, session: Session) -> None:
        """Keep an idle *session* for the next drain of the same mailbox."""
        self._sessions.keep(account.id, account.generation, session)

    def failure(self, error: SubmissionError) -> Failure:
        """Tell what an SMTP failure means, by its phase and reply."""
        return Failure(
            phase=error.phase.value,
            guidance=explain_submission(error),
            values={"reply": one_line(error.reply)},
            reply=error.reply,
            reason=error.reason.value,
            outcome_unknown=error.outcome_unknown,
            refused=tuple((one.address, one.reply) for one in error.refused),
        )
