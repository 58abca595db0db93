"""Connecting, step by step: the ticket shown, the browser sent to Microsoft, the answer judged."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.accounts.account import Account, Identity, Obstacle
from shared.connecting import admin_link
from shared.connecting import checks as connect_checks
from shared.connecting import flow as flows
from shared.connecting import identity as identities
from shared.connecting import ticket as tickets
from shared.connecting.checks import AccessTokens, Check, Server
from shared.connecting.flow import Flow
from shared.connecting.ticket import Sealer, Ticket
from shared.errors import ServiceError
from shared.guidance import Guidance, for_code
from shared.microsoft.explanation import explain_token_error
from shared.microsoft.token_response import Grant, TokenError
from shared.secrecy import Secret

_log = logging.getLogger(__name__)

_AADSTS = re.compile(r"AADSTS(\d{5,8})")
_ERROR = re.compile(r"[a-z_]{1,64}")


class Accounts(Protocol):
    """Where accounts are kept."""

    def get(self, account: str) -> Account | None:
        """Return the account, or None."""

    def connected(
        self,
        account: str,
        *,
        identity: Identity,
        scope: tuple[str, ...],
        generation: str,
        now: datetime,
    ) -> Account | None:
        """Note the connect; None when the account moved on from *generation*."""

    def redeem_flow(self, account: str, digest: str, now: datetime) -> bool:
        """Note that a flow is being redeemed; False when it was before."""

    def set_obstacle(
        self, account: str, obstacle: Obstacle | None, *, generation: str, now: datetime
    ) -> Account | None:
        """Note what stands in the way, or that nothing does."""

    def note_refusal(
        self, account: str, obstacle: Obstacle | None, *, generation: str
    ) -> Account | None:
        """Note what an admin may have to settle before it can be connected, or nothing."""


class RefreshTokens(Protocol):
    """Where the refresh token goes."""

    def put_refresh_token(self, account_id: str, refresh_token: Secret) -> None:
        """Store it."""


class AuthorizationServer(Protocol):
    """Microsoft's sign-in (``shared.microsoft.entra``)."""

    client_id: str

    def initiate(self, *, redirect_uri: str, login_hint: str) -> dict[str, Any]:
        """Return a fresh flow."""

    def redeem(self, flow: Mapping[str, Any], query: Mapping[str, str]) -> Grant:
        """Redeem the code."""

    def issuer(self) -> str:
        """Return the metadata's issuer."""

    def tenant(self) -> str:
        """Return the authority's tenant."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and the cookie it takes along."""

    location: str
    cookie_name: str
    cookie: Secret


@dataclass(frozen=True, slots=True)
class Arrival:
    """A connected account, and what the connect checks showed."""

    account: Account
    checks: list[Check]


class RefusedError(Exception):
    """A flow that ended without a connect: why, for which account, and on whose ticket."""

    def __init__(
        self, guidance: Guidance, account: Account, ticket: Ticket, **values: str
    ) -> None:
        super().__init__(guidance.code)
        self.guidance = guidance
        self.account = account
        self.ticket = ticket
        self.values = values


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """The use cases of connecting.

    *wake* tells the mailbox's delivery to look again; *watch_token* sees to it that the refresh
    token is used before it dies of disuse.
    """

    accounts: Accounts
    refresh_tokens: RefreshTokens
    authorization_server: AuthorizationServer
    access_tokens: AccessTokens
    server: Server
    seal: Sealer
    redirect_uri: str
    wake: Callable[[str], None]
    watch_token: Callable[[str, datetime], None]

    def admit(self, ticket_text: str, now: datetime) -> tuple[Ticket, Account]:
        """Open a ticket and return it with its account.

        Raises ServiceError ``ticket-invalid``, ``ticket-expired``, or ``ticket-used`` when the
        account was connected since, has another username, or is gone.
        """
        ticket = tickets.read(ticket_text, seal=self.seal, now=now)
        return ticket, self._account_of(ticket)

    def depart(self, ticket: Ticket, account: Account, now: datetime) -> Departure:
        """Make the authorization request (RFC 6749 section 4.1.1); raises RefusedError."""
        try:
            request = self.authorization_server.initiate(
                redirect_uri=self.redirect_uri, login_hint=account.username
            )
        except TokenError as error:
            raise _refused(error, account, ticket) from error
        kept = flows.keep(ticket, request, seal=self.seal, now=now)
        return Departure(request["auth_uri"], flows.cookie_name(request["state"]), kept)

    def arrive(
        self, query: Mapping[str, str], cookies: Mapping[str, str], now: datetime
    ) -> Arrival:
        """Judge the authorization response and connect the account.

        Raises ServiceError ``flow-not-found``, ``ticket-used`` or ``flow-used``, and RefusedError
        for whatever Microsoft or the checks have against it. Then nothing is stored but that the
        flow is spent and, as the account's obstacle, what an admin may have to settle first.
        """
        flow = flows.find(query, cookies, seal=self.seal, now=now)
        account = self._account_of(flow.ticket)
        if not self.accounts.redeem_flow(account.id, flow.state_hash, now):
            raise ServiceError("flow-used")
        try:
            return self._judge(flow, account, query, now)
        except RefusedError as error:
            self._note(error, now)
            raise

    def _judge(
        self, flow: Flow, account: Account, query: Mapping[str, str], now: datetime
    ) -> Arrival:
        """Redeem the code and connect, or raise RefusedError or ServiceError ``ticket-used``.

        The token goes to the vault before the account is marked, so that a connected account
        always has one.
        """
        if "code" not in query:
            raise _refused(_authorization_error(query), account, flow.ticket)
        identity, grant, refresh_token = self._redeem(flow, account, query, now)
        self._account_of(flow.ticket)  # once more, since redeeming takes its time
        try:
            self.refresh_tokens.put_refresh_token(account.id, refresh_token)
        except ServiceError as error:
            raise RefusedError(for_code(error.code), account, flow.ticket) from error
        connected = self.accounts.connected(
            account.id,
            identity=identity,
            scope=grant.scope,
            generation=flow.ticket.generation,
            now=now,
        )
        if connected is None:
            raise ServiceError("ticket-used")
        self.watch_token(account.id, now)
        return self._checked(connected, now)

    def check(self, account: Account, now: datetime) -> Arrival:
        """Run the connect checks, note what they show, and let mail leave when they pass.

        Raises ServiceError when a service of ours is down. What passes by itself (Exchange not
        reached, Entra down) leaves the account as it was.
        """
        checks = connect_checks.run(account, tokens=self.access_tokens, server=self.server)
        found = connect_checks.obstacle(checks, now)
        if found or connect_checks.is_ok(checks):
            account = (
                self.accounts.set_obstacle(
                    account.id, found, generation=account.generation, now=now
                )
                or account
            )
        if found is None:
            self.wake(account.id)
        return Arrival(account, checks)

    def account(self, account_id: str) -> Account | None:
        """Return the account, or None when it is gone."""
        return self.accounts.get(account_id)

    def _note(self, error: RefusedError, now: datetime) -> None:
        """Keep on an unconnected account what an admin may have to settle.

        Of who else signed in nothing is kept, and the person's page does not depend on it.
        """
        found = None
        if admin_link.matter_for_admin(error.guidance.code):
            found = Obstacle(error.guidance.code, dict(error.values), now)
        try:
            self.accounts.note_refusal(error.account.id, found, generation=error.ticket.generation)
        except ServiceError as failure:
            _log.warning("refusal of %s not noted: %s", error.account.id, failure.code)

    def _checked(self, account: Account, now: datetime) -> Arrival:
        """Check a mailbox just connected; it stays connected when the checks cannot be made."""
        try:
            return self.check(account, now)
        except ServiceError as error:
            _log.warning("connect checks of %s not made: %s", account.id, error.code)
            self.wake(account.id)
            return Arrival(account, [])

    def _account_of(self, ticket: Ticket) -> Account:
        account = self.accounts.get(ticket.account_id)
        if account is None or account.generation != ticket.generation:
            raise ServiceError("ticket-used")
        return account

    def _redeem(
        self, flow: Flow, account: Account, query: Mapping[str, str], now: datetime
    ) -> tuple[Identity, Grant, Secret]:
        """Redeem the code and hold the grant against the account; raises RefusedError."""

        def refuse(code: str, **values: str) -> RefusedError:
            return RefusedError(for_code(code), account, flow.ticket, **values)

        try:
            grant = self.authorization_server.redeem(flow.request, query)
            identity = identities.identify(
                grant.claims,
                client_id=self.authorization_server.client_id,
                issuer=self.authorization_server.issuer(),
                tenant=self.authorization_server.tenant(),
                now=now,
            )
        except TokenError as error:
            raise _refused(error, account, flow.ticket) from error
        except ServiceError as error:
            raise refuse(error.code) from error
        if not identities.is_same_name(identity.username, account.username):
            raise refuse("wrong-account", signed_in_as=identity.username)
        if not connect_checks.holds_sending_scope(grant.scope):
            raise refuse("scope-not-granted")
        if grant.refresh_token is None:
            raise refuse("refresh-token-missing")
        return identity, grant, grant.refresh_token


def _refused(error: TokenError, account: Account, ticket: Ticket) -> RefusedError:
    """Return the refusal for an error of Entra's; the log gets what Microsoft finds it by."""
    found = explain_token_error(error)
    _log.info(
        "connect of %s refused: %s (%s %s, trace %s)",
        account.id,
        found.code,
        error.error,
        error.codes,
        error.trace_id,
    )
    return RefusedError(found, account, ticket)


def _authorization_error(query: Mapping[str, str]) -> TokenError:
    """Read the redirect's error (RFC 6749 section 4.1.2.1) and Entra's subcode and numbers."""
    numbers = _AADSTS.findall(query.get("error_description", "")[:2000])
    error = query.get("error", "")
    return TokenError(
        error if _ERROR.fullmatch(error) else "invalid_request",
        codes=tuple(int(number) for number in numbers[:5]),
        subcode=query.get("error_subcode", "")[:64] or None,
    )
