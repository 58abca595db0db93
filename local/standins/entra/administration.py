"""What the people around Entra do to it: add, disable, revoke, require, block, break."""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.standins.directory import PASSWORD, Directory
from local.standins.entra.application import Application
from local.standins.entra.grants import Grants
from local.standins.entra.refusals import REFUSALS, Refusal, RefusedError
from local.standins.entra.sign_in import Page, SignIns, Step, StoppedError
from local.standins.entra.tokens import Tokens
from local.standins.faults import Fault
from local.standins.managed_identity import ManagedIdentity
from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.verbs import verb


class Administration(StandIn):
    """The verbs of Entra; the endpoints are in the subclass."""

    def __init__(
        self, trust: Trust, identity: ManagedIdentity, directory: Directory, port: int = 0
    ) -> None:
        super().__init__(trust, port)
        self.directory = directory
        self.application = Application(identity)
        self.tokens = Tokens(self.application.client_id, self.application.display_name)
        self.grants = Grants(self.tokens)
        self.sign_ins = SignIns(directory, self.application, self.grants)
        self.authorizations: list[dict[str, str]] = []
        self.withheld_scopes: set[str] = set()
        self.refresh_token_withheld = False
        self.shows_secret = False
        self.planned: deque[RefusedError] = deque()

    @verb
    def sign_in(
        self,
        authorize_url: str,
        as_: str,
        consent: bool = True,  # noqa: FBT001, FBT002 - reads as a sentence at the call
        password: str | None = None,
    ) -> str:
        """Go through the pages as *as_* would; the URL the browser is sent back to.

        Raises StoppedError when a page of Entra's is the end of it.
        """
        tenant = urlsplit(authorize_url).path.split("/")[1]
        query = dict(parse_qsl(urlsplit(authorize_url).query, keep_blank_values=True))
        self.authorizations.append(query)
        return self._walk(self.sign_ins.begin(tenant, query), as_, password, consent=consent)

    @verb
    def approve_for_tenant(self, admin_consent_url: str, as_: str, consent: bool = True) -> str:  # noqa: FBT001, FBT002
        """Go through the admin consent page as the admin *as_*; the URL it ends at."""
        parts = urlsplit(admin_consent_url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        step = self.sign_ins.begin_admin_consent(parts.path.split("/")[1], query)
        return self._walk(step, as_, None, consent=consent)

    @verb
    def add_user(
        self,
        username: str,
        password: str = PASSWORD,
        tenant: str | None = None,
        name: str | None = None,
        admin: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Add someone, in the tenant of the address's domain unless told otherwise."""
        person = self.directory.add_person(username, password=password, tenant=tenant, name=name)
        person.admin = admin

    @verb
    def disable_user(self, username: str, disabled: bool = True) -> None:  # noqa: FBT001, FBT002
        """AADSTS50057."""
        self.directory.the(username).enabled = not disabled

    @verb
    def revoke_sessions(self, username: str) -> None:
        """Every refresh token so far is void: AADSTS50173."""
        self.directory.the(username).valid_from = datetime.now(UTC) + timedelta(microseconds=1)

    @verb
    def expire_refresh_tokens(self, username: str) -> None:
        """As if unused for 90 days: AADSTS700082."""
        for grant in self.grants.of(self.directory.the(username)):
            grant.expired = True

    @verb
    def expire_codes(self) -> None:
        """Codes not yet redeemed are too old: AADSTS70008."""
        self.grants.expire_codes()

    @verb
    def require_mfa(self, username: str, required: bool = True) -> None:  # noqa: FBT001, FBT002
        """Refresh tokens from before need a new sign-in: AADSTS50076, basic_action."""
        self.directory.the(username).mfa_required = required

    @verb
    def block_by_conditional_access(self, username: str, blocked: bool = True) -> None:  # noqa: FBT001, FBT002
        """AADSTS53003, message_only."""
        self.directory.the(username).blocked = blocked

    @verb
    def assign(self, username: str, assigned: bool = True) -> None:  # noqa: FBT001, FBT002
        """Whether the person is assigned to the application: AADSTS50105."""
        self.directory.the(username).assigned = assigned

    @verb
    def require_admin_consent(self, tenant: str, required: bool = True) -> None:  # noqa: FBT001, FBT002
        """People of *tenant* may not consent themselves: the page Need admin approval."""
        self.directory.add_tenant(tenant).user_consent = not required

    @verb
    def admin_consents(self, tenant: str) -> None:
        """An admin approved our permissions for all of *tenant*."""
        scopes = {"https://outlook.office.com/SMTP.Send", "offline_access"}
        self.directory.add_tenant(tenant).admin_consent |= scopes | {"openid", "profile", "email"}

    @verb
    def revoke_consent(self, username: str) -> None:
        """AADSTS65001, consent_required."""
        person = self.directory.the(username)
        person.consent.clear()
        person.tenant.admin_consent.clear()

    @verb
    def disable_application(self, tenant: str, disabled: bool = True) -> None:  # noqa: FBT001, FBT002
        """The tenant switched our service principal off: AADSTS7000112."""
        self.directory.add_tenant(tenant).application_disabled = disabled

    @verb
    def register_redirect_uri(self, uri: str) -> None:
        """Add a redirect URI to the registration; of a loopback host give it without port."""
        self.application.redirect_uris.add(uri)

    @verb
    def remove_permission(self, permission: str = "SMTP.Send") -> None:
        """Take a permission off the registration: AADSTS650057."""
        self.application.permissions.discard(permission)

    @verb
    def withhold_scope(self, scope: str = "https://outlook.office.com/SMTP.Send") -> None:
        """Grant less than asked: tokens come without *scope*."""
        self.withheld_scopes.add(scope)

    @verb
    def withhold_refresh_token(self, withheld: bool = True) -> None:  # noqa: FBT001, FBT002
        """Answer without a refresh token."""
        self.refresh_token_withheld = withheld

    @verb
    def break_client_credential(self, number: int = 7000222) -> None:
        """401 invalid_client: 7000222, 7000215, 700213 or 700211."""
        if REFUSALS[number].error != "invalid_client":
            raise ValueError(f"AADSTS{number} is not about the client's credential")
        self.application.broken_credential = number

    @verb
    def access_token_life(self, seconds: float) -> None:
        """How long the next access tokens live; below 0 they are born expired."""
        self.tokens.life = seconds

    @verb
    def alter_id_token(self, **claims: Any) -> None:  # noqa: ANN401 - claims are JSON
        """Put *claims* into the next ID tokens; None leaves one out."""
        self.tokens.alterations = dict(claims)

    @verb
    def access_token(
        self, username: str, scope: str = "https://outlook.office.com/SMTP.Send"
    ) -> str:
        """An access token without any sign-in, for what only speaks SMTP."""
        person = self.directory.the(username)
        return self.tokens.access_token(person, frozenset(scope.split()), self.tokens.life)

    @verb
    def issued(self) -> dict[str, list[str]]:
        """Every secret issued or received, by kind: code, refresh_token, access_token ..."""
        return {kind: list(secrets) for kind, secrets in list(self.tokens.issued.items())}

    @verb
    def refuse_next(
        self, error: str, number: int = 0, suberror: str | None = None, times: int = 1
    ) -> None:
        """Answer the next *times* token requests with *error*, whatever they ask for."""
        status = 401 if error == "invalid_client" else 400
        refused = RefusedError(number)
        refused.row = Refusal(error, refused.row.words, suberror, status)
        self.planned.extend([refused] * times)

    @verb
    def throttle(self, times: int = 1, seconds: float = 1, html: bool = False) -> None:  # noqa: FBT001, FBT002
        """429 with Retry-After, the body JSON or HTML."""
        kind = "throttled-html" if html else "throttled"
        self.faults.add(Fault(kind, "token", times, seconds))

    @verb
    def restore(self) -> None:
        """End faults, broken credentials and withheld grants; people stay as they are."""
        super().restore()
        self.planned.clear()
        self.application.restore()
        self.withheld_scopes.clear()
        self.refresh_token_withheld = False
        self.tokens.alterations = {}

    @verb
    def reset(self) -> None:
        """The usual cast, nothing granted, no faults; the signing key stays."""
        super().reset()
        self.restore()
        self.tokens.reset()
        self.grants.clear()
        self.sign_ins.clear()
        self.authorizations.clear()
        self.directory.fill()

    def _walk(self, step: Step, username: str, password: str | None, *, consent: bool) -> str:
        person = self.directory.person(username)
        typed = password or (person.password if person else PASSWORD)
        while isinstance(step, Page):
            number = step.refused.number if step.refused else None
            if step.visit is None or step.kind == "error" or number:
                raise StoppedError(step.kind, number)
            step = self._next(step, username, typed, consent=consent)
        return step.url()

    def _next(self, page: Page, username: str, password: str, *, consent: bool) -> Step:
        visit = page.visit
        if visit is None:
            raise StoppedError(page.kind)
        match page.kind:
            case "sign-in":
                return self.sign_ins.enter(visit, username, password)
            case "mfa":
                return self.sign_ins.approve_mfa(visit)
            case "consent" | "admin-consent":
                return self.sign_ins.consent(visit, accept=consent)
            case "admin-approval":
                return self.sign_ins.cancel(visit)
        raise StoppedError(page.kind)
