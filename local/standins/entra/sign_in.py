"""The sign-in as steps: password, second factor, consent, back to the application."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from local.standins.directory import Directory, Person
from local.standins.entra.application import Application
from local.standins.entra.grants import Code, Grant, Grants
from local.standins.entra.refusals import RefusedError

ANYONE = ("organizations", "common")


class StoppedError(Exception):
    """The sign-in ended on a page of Entra's, without a redirect to the application."""

    def __init__(self, page: str, number: int | None = None) -> None:
        super().__init__(f"{page} {f'AADSTS{number}' if number else ''}".strip())
        self.page = page
        self.number = number


@dataclass(slots=True)
class Visit:
    """One browser's way through the sign-in."""

    id: str
    tenant: str
    query: dict[str, str]
    scopes: frozenset[str]
    person: Person | None = None
    mfa: bool = False
    admin: bool = False  # an admin approves for the whole tenant


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown next: sign-in, mfa, consent, admin-approval, admin-consent or error."""

    kind: str
    visit: Visit | None = None
    refused: RefusedError | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Back to the application; posted as a form when it asked for that."""

    uri: str
    parameters: dict[str, str]
    form_post: bool = False

    def url(self) -> str:
        joint = "&" if "?" in self.uri else "?"
        return f"{self.uri}{joint}{urlencode(self.parameters)}"


type Step = Page | Redirect


class SignIns:
    """The visits under way."""

    def __init__(self, directory: Directory, application: Application, grants: Grants) -> None:
        self._directory = directory
        self._application = application
        self._grants = grants
        self._visits: dict[str, Visit] = {}

    def clear(self) -> None:
        self._visits.clear()

    def visit(self, identity: str) -> Visit | None:
        return self._visits.get(identity)

    def begin(self, tenant: str, query: dict[str, str]) -> Step:
        """An authorization request (RFC 6749 section 4.1.1)."""
        unknown = self._application.find_fault(query, tenant)
        if unknown is not None:
            return Page("error", refused=unknown)
        try:
            scopes = self._check(query)
        except RefusedError as refused:
            return denied(query, refused.row.error, refused.words)
        if query.get("prompt") == "none":
            return denied(query, "login_required", "AADSTS50058: Session information is missing.")
        visit = Visit(secrets.token_urlsafe(16), tenant, query, scopes)
        self._visits[visit.id] = visit
        return Page("sign-in", visit)

    def begin_admin_consent(self, tenant: str, query: dict[str, str]) -> Step:
        """An admin was sent here to approve the application for the whole tenant."""
        unknown = self._application.find_fault(query, tenant)
        if unknown is not None:
            return Page("error", refused=unknown)
        try:
            scopes = self._application.check_scopes(query.get("scope", ""))
        except RefusedError as refused:
            return Page("error", refused=refused)
        visit = Visit(secrets.token_urlsafe(16), tenant, query, scopes, admin=True)
        self._visits[visit.id] = visit
        return Page("sign-in", visit)

    def enter(self, visit: Visit, username: str, password: str) -> Step:
        """Username and password were typed."""
        person = self._directory.person(username)
        refused = self._refusal(visit, person, username, password)
        if refused is not None:
            retry = refused.number in (50126, 50034, 50020)
            return Page("sign-in" if retry else "error", visit, refused)
        visit.person = person
        if person is not None and person.mfa_required and not visit.mfa:
            return Page("mfa", visit)
        return self._ask_consent(visit)

    def approve_mfa(self, visit: Visit) -> Step:
        """The second factor was given."""
        visit.mfa = True
        return self._ask_consent(visit) if visit.person else Page("sign-in", visit)

    def consent(self, visit: Visit, *, accept: bool) -> Step:
        """The person answered the consent page."""
        person = visit.person
        if person is None:
            return Page("sign-in", visit)
        if not accept:
            return self.cancel(visit, said=True)
        if visit.admin:
            return self._approved_for_tenant(visit, person)
        if not person.tenant.user_consent and not self._is_consented(visit, person):
            return Page("admin-approval", visit)
        person.consent |= visit.scopes
        return self._finish(visit, person)

    def cancel(self, visit: Visit, *, said: bool = False) -> Redirect:
        """Back without consent; *said* is a no on the consent page, else only a way out."""
        self._visits.pop(visit.id, None)
        words = RefusedError(65004).words if said else ""
        return denied(visit.query, "access_denied", words, subcode="cancel")

    def _check(self, query: dict[str, str]) -> frozenset[str]:
        if query.get("response_type") != "code":
            raise RefusedError(700007)
        if query.get("response_mode", "query") not in ("query", "form_post"):
            raise RefusedError(700007)
        if query.get("code_challenge_method", "plain") not in ("S256", "plain"):
            raise RefusedError(90023)
        challenge = query.get("code_challenge")
        if challenge is not None and not 43 <= len(challenge) <= 128:
            raise RefusedError(90023)
        return self._application.check_scopes(query.get("scope", ""))

    def _refusal(
        self, visit: Visit, person: Person | None, username: str, password: str
    ) -> RefusedError | None:
        if person is None:
            return RefusedError(50034, username=username, tenant=visit.tenant)
        wanted = self._directory.tenant(visit.tenant)
        if visit.tenant not in ANYONE and person.tenant is not wanted:
            return RefusedError(50020, username=username, tenant=visit.tenant)
        if password != person.password:
            return RefusedError(50126)
        return self._policy(person)

    def _policy(self, person: Person) -> RefusedError | None:
        application = self._application
        names = {"client_id": application.client_id, "application": application.display_name}
        if not person.enabled:
            return RefusedError(50057)
        if person.tenant.application_disabled:
            return RefusedError(7000112, **names)
        if not person.assigned:
            return RefusedError(50105, username=person.username, **names)
        if person.blocked:
            return RefusedError(53003)
        return None

    def _is_consented(self, visit: Visit, person: Person) -> bool:
        return visit.scopes <= person.consent | person.tenant.admin_consent

    def _ask_consent(self, visit: Visit) -> Step:
        person = visit.person
        if person is None:
            return Page("sign-in", visit)
        if visit.admin:
            return Page("admin-consent" if person.admin else "admin-approval", visit)
        if self._is_consented(visit, person) and visit.query.get("prompt") != "consent":
            return self._finish(visit, person)
        if not person.tenant.user_consent and not self._is_consented(visit, person):
            return Page("admin-approval", visit)
        return Page("consent", visit)

    def _finish(self, visit: Visit, person: Person) -> Redirect:
        query = visit.query
        grant = Grant(person, visit.scopes, visit.mfa, datetime.now(UTC))
        code = self._grants.new_code(
            Code(
                grant=grant,
                redirect_uri=query["redirect_uri"],
                tenant=visit.tenant,
                challenge=query.get("code_challenge"),
                method=query.get("code_challenge_method", "plain"),
                nonce=query.get("nonce"),
            )
        )
        self._visits.pop(visit.id, None)
        return _back(query, {"code": code, "session_state": secrets.token_hex(16)})

    def _approved_for_tenant(self, visit: Visit, person: Person) -> Redirect:
        person.tenant.admin_consent |= visit.scopes
        self._visits.pop(visit.id, None)
        scope = " ".join(sorted(visit.scopes))
        parameters = {"admin_consent": "True", "tenant": person.tenant.id, "scope": scope}
        return _back(visit.query, parameters)


def denied(query: dict[str, str], error: str, words: str, *, subcode: str = "") -> Redirect:
    """Back to the application with an error (RFC 6749 section 4.1.2.1)."""
    parameters = {"error": error}
    if words:
        parameters["error_description"] = words
    if subcode:
        parameters["error_subcode"] = subcode
    return _back(query, parameters)


def _back(query: dict[str, str], parameters: dict[str, str]) -> Redirect:
    if "state" in query:
        parameters = parameters | {"state": query["state"]}
    return Redirect(
        query["redirect_uri"], parameters, form_post=query.get("response_mode") == "form_post"
    )
