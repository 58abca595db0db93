"""What the browser gets at each step of connecting: a page, or a redirect to one of two places."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from shared.accounts.account import Account, AccountStatus
from shared.connecting import admin_link, checks, confirmation
from shared.connecting import flow as flows
from shared.connecting import ticket as tickets
from shared.connecting.admin_link import AdminLink
from shared.connecting.connect import Arrival, Connecting, RefusedError
from shared.connecting.ticket import Ticket
from shared.errors import ServiceError
from shared.guidance import commands_for, for_code, link_for, words_for
from shared.pages import page as pages
from shared.pages.page import Explanation
from shared.pages.visit import Answer, Headers, Visit

_STATUS = {"account-gone": 410, "not-found": 404}
"""Statuses of the problems that only pages have; the others are the catalogue's."""

_CONSENT = "{admin_consent_url}"
_MARK = re.compile(r"[A-Za-z0-9_-]{32}")


class ConsentEndpoint(Protocol):
    """Who knows where an admin approves us (``shared.microsoft.entra``)."""

    client_id: str

    def admin_consent_url(self, *, redirect_uri: str, tenant: str | None, state: str = "") -> str:
        """Return the link."""


class Browser:
    """Answers the four addresses under ``/oauth``; knows pages, words and cookies, no protocol."""

    def __init__(
        self,
        *,
        connecting: Connecting,
        consent: ConsentEndpoint,
        public_url: str,
        product: str,
        allowed_origins: tuple[str, ...],
    ) -> None:
        self._connecting = connecting
        self._consent = consent
        self._public_url = public_url
        self._product = product
        self._allowed_origins = allowed_origins

    def start(self, visit: Visit, now: datetime) -> Answer:
        """Send the browser to Microsoft, if it comes from the product or has confirmed."""
        query = visit.parameters()
        ticket_text = query.get("ticket", "")
        try:
            ticket, account = self._connecting.admit(ticket_text, now)
            if not self._may_depart(visit, query, ticket_text, now):
                return self._ask(visit, ticket_text, ticket, account, now)
            departure = self._connecting.depart(ticket, account, now)
        except RefusedError as error:
            return self._refused(visit, error, now)
        except ServiceError as error:
            return self._problem(visit, error.code)
        cookie = _cookie(departure.cookie_name, departure.cookie.reveal(), 900)
        ended = (_cookie(name, "", 0) for name in flows.surplus(visit.cookies()))
        return pages.redirect(departure.location, (cookie, *ended))

    def callback(self, visit: Visit, now: datetime) -> Answer:
        """Judge what Microsoft sent back, and say how it went."""
        query = visit.parameters()
        try:
            arrival = self._connecting.arrive(query, visit.cookies(), now)
        except RefusedError as error:
            return self._refused(visit, error, now)
        except ServiceError as error:
            return self._admin_returned(query, now) or self._problem(visit, error.code)
        return self._connected(visit, arrival, now)

    def admin(self, visit: Visit, now: datetime, *, check: bool = False) -> Answer:
        """Show the admin what is missing; with *check*, see first whether it still is."""
        query = visit.parameters()
        try:
            link = admin_link.read(query.get("link", ""), seal=self._connecting.seal, now=now)
            account = self._connecting.account(link.account_id)
        except ServiceError as error:
            return self._problem(visit, error.code)
        if account is None:
            return self._problem(visit, "account-gone")
        result, found = "consented" if "approved" in query else "", None
        if check and account.status is not AccountStatus.PENDING:
            result, found = self._check(account, now)
        return self._admin_page(visit, link, found or Arrival(account, []), result, now)

    def asset(self, name: str, visit: Visit) -> Answer:
        """Return a stylesheet, script or picture of the pages."""
        return pages.asset(name) or self._problem(visit, "not-found")

    # steps

    def _may_depart(
        self, visit: Visit, query: Mapping[str, str], ticket_text: str, now: datetime
    ) -> bool:
        return confirmation.comes_from_product(
            visit.referer, self._allowed_origins
        ) or confirmation.is_confirmed(
            query.get("confirm", ""),
            ticket_text,
            _browser_mark(visit),
            seal=self._connecting.seal,
            now=now,
        )

    def _ask(
        self, visit: Visit, ticket_text: str, ticket: Ticket, account: Account, now: datetime
    ) -> Answer:
        go_on, cookie = self._confirmed_start(visit, ticket_text, now)
        return self._page(
            visit,
            "start",
            headers=(cookie,),
            go_on=go_on,
            username=account.username,
            customer=ticket.customer,
            user=ticket.user,
        )

    def _confirmed_start(
        self, visit: Visit, ticket_text: str, now: datetime
    ) -> tuple[str, tuple[str, str]]:
        """Return a link past the question for this browser alone, and the cookie it needs."""
        mark = _browser_mark(visit) or confirmation.new_browser_mark()
        confirmed = confirmation.confirm(ticket_text, mark, seal=self._connecting.seal, now=now)
        query = urlencode({"ticket": ticket_text, "confirm": confirmed.reveal()})
        return f"start?{query}", _cookie(confirmation.COOKIE, mark, 1800)

    def _check(self, account: Account, now: datetime) -> tuple[str, Arrival | None]:
        try:
            arrival = self._connecting.check(account, now)
        except ServiceError:
            return "worked_unknown", None
        if checks.is_ok(arrival.checks):
            return "worked", arrival
        return (
            "worked_not" if checks.obstacle(arrival.checks, now) else "worked_unknown"
        ), arrival

    def _admin_returned(self, query: Mapping[str, str], now: datetime) -> Answer | None:
        """Lead an admin who comes back from approving us to the page he left.

        What Microsoft's redirect says is not believed; the page tells what is so.
        """
        state = query.get("state", "")
        try:
            admin_link.read(state, seal=self._connecting.seal, now=now)
        except ServiceError:
            return None
        approved = {"approved": "1"} if query.get("admin_consent", "").lower() == "true" else {}
        return pages.redirect(
            f"{self._public_url}/api/oauth/admin?{urlencode({'link': state, **approved})}"
        )

    # pages

    def _connected(self, visit: Visit, arrival: Arrival, now: datetime) -> Answer:
        account, problem = arrival.account, None
        if obstacle := account.obstacle:
            problem = self._explain(visit, obstacle.code, account, obstacle.values, now)
        unsure = not checks.is_ok(arrival.checks) or not arrival.checks
        return self._page(
            visit,
            "connected",
            account=account,
            checks=arrival.checks,
            problem=problem,
            admin_url=self._admin_url(account, obstacle.code if obstacle else None, now),
            suffix="_blocked" if problem else "_unsure" if unsure else "",
            origins=" ".join(self._allowed_origins),
        )

    def _refused(self, visit: Visit, error: RefusedError, now: datetime) -> Answer:
        code, account = error.guidance.code, error.account
        retry: str | None = None
        headers: Headers = ()
        if renewed := tickets.renew(error.ticket, seal=self._connecting.seal, now=now):
            retry, cookie = self._confirmed_start(visit, renewed.reveal(), now)
            headers = (cookie,)
        return self._page(
            visit,
            "problem",
            status=error.guidance.status,
            headers=headers,
            problem=self._explain(visit, code, account, error.values, now),
            retry=retry,
            admin_url=self._admin_url(account, code, now),
        )

    def _problem(self, visit: Visit, code: str) -> Answer:
        problem = self._explain(visit, code, None, {}, None)
        status = _STATUS.get(code) or for_code(code).status
        return self._page(
            visit, "problem", status=status, problem=problem, retry=None, admin_url=None
        )

    def _admin_page(
        self, visit: Visit, link: AdminLink, arrival: Arrival, result: str, now: datetime
    ) -> Answer:
        account = arrival.account
        pending = account.status is AccountStatus.PENDING
        code, values = (link.code if pending else None), dict[str, str]()
        if account.obstacle and not code:
            found = account.obstacle
            code, values = admin_link.matter_for_admin(found.code) or found.code, {**found.values}
        problem = None
        if code:
            below = pages.say(visit.language(), "frame", "below")
            tools = {"command": below, "link": below}  # they stand there, ready to be copied
            problem = self._explain(visit, code, account, {**values, **tools}, now)
        if (
            problem and code and for_code(code).link == _CONSENT
        ):  # the catalogue speaks to the user
            approve = pages.say(visit.language(), "admin", "approve")
            problem = replace(problem, action=approve)
        return self._page(
            visit,
            "admin",
            account=account,
            checks=arrival.checks,
            problem=None if result == "consented" and pending else problem,
            pending=pending,
            result=result,
            time=now.strftime("%H:%M"),
            again=f"admin?{urlencode({'link': visit.parameters()['link']})}",
        )

    def _page(
        self,
        visit: Visit,
        template: str,
        *,
        status: int = 200,
        headers: Headers = (),
        **values: object,
    ) -> Answer:
        return pages.page(
            template,
            language=visit.language(),
            product=self._product,
            status=status,
            headers=headers,
            home=f"{self._allowed_origins[0]}/",
            **values,
        )

    # words

    def _explain(
        self,
        visit: Visit,
        code: str,
        account: Account | None,
        values: Mapping[str, str],
        now: datetime | None,
    ) -> Explanation:
        """Return the catalogue's words for *code*; long links stand below, to be copied."""
        language = visit.language()
        known = {"product": self._product, "client_id": self._consent.client_id, **values}
        if own := pages.explanation(code, language=language, **known):
            return own
        guidance = for_code(code)
        links: dict[str, str] = {}
        if account is not None and now is not None:
            known = {**self._account_values(account), **known}
            links = {"admin_consent_url": self._consent_address(account, code, now)}
        below = {name: pages.say(language, "frame", "below") for name in links}
        words = words_for(guidance, language=language, values={**known, **below})
        return Explanation(
            title=words.title,
            detail=words.detail,
            action=words.action,
            who=guidance.who,
            commands=commands_for(guidance, values=known),
            link=link_for(guidance, values={**known, **links}),
        )

    def _account_values(self, account: Account) -> dict[str, str]:
        return {
            "username": account.username,
            "address": account.address,
            "tenant": account.username.rpartition("@")[2],
        }

    def _consent_address(self, account: Account, code: str, now: datetime) -> str:
        """Return where an admin approves us; from there he comes back to the page for IT."""
        state = admin_link.issue(account.id, code, seal=self._connecting.seal, now=now)
        return self._consent.admin_consent_url(
            redirect_uri=f"{self._public_url}/api/oauth/callback",
            tenant=account.username.rpartition("@")[2],
            state=state.reveal(),
        )

    def _admin_url(self, account: Account, code: str | None, now: datetime) -> str | None:
        """Return the page for IT if *code* is, or may be, for an admin to settle."""
        found = admin_link.address_for(
            account.id, code, seal=self._connecting.seal, public_url=self._public_url, now=now
        )
        return found.reveal() if found else None


def _browser_mark(visit: Visit) -> str:
    """Return the mark we gave this browser earlier, if it is one."""
    mark = visit.cookies().get(confirmation.COOKIE, "")
    return mark if _MARK.fullmatch(mark) else ""


def _cookie(name: str, value: str, seconds: int) -> tuple[str, str]:
    """Return the header for a cookie of this host alone, which comes along from Microsoft's page.

    Lax, because the way back is a navigation from another site; Strict would leave it out.
    """
    attributes = f"Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"
    return "Set-Cookie", f"{name}={value}; {attributes}"
