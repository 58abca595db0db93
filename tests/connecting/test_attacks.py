"""Attacks on connecting (RFC 9700, RFC 6819), each tried: nothing is stored, nobody is misled."""

import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.standins.entra import Entra as EntraStandIn
from local.standins.key_vault import KeyVault
from shared.accounts.account import AccountStatus
from shared.connecting import admin_link, ticket
from shared.connecting.browser import Browser
from shared.pages.visit import Answer, Visit
from shared.sealing import Seal
from tests.connecting.walk import (
    FRONTEND,
    KARI,
    PUBLIC_URL,
    Asker,
    Mailboxes,
    Person,
    account,
    header,
    page,
    text,
)

ACCOUNT = account().id


@pytest.fixture
def nothing_stored(mailboxes: Mailboxes, key_vault: KeyVault) -> Callable[[], bool]:
    def check() -> bool:
        pending = {found.status for found in mailboxes.accounts.values()} == {
            AccountStatus.PENDING
        }
        return pending and not [one for one in key_vault.names() if one != "sealing-key"]

    return check


def ticket_of(connect_url: str) -> str:
    return parse_qs(urlsplit(connect_url).query)["ticket"][0]


# a link of one's own, sent to somebody else


def test_a_stranger_with_a_connect_link_is_asked_first(browser: Browser, connect_url: str) -> None:
    answer = Person(browser).visit(connect_url)

    assert answer.status == 200
    assert "Kari Nordmann" in page(answer).words


def test_the_link_past_the_question_is_good_in_one_browser_only(
    browser: Browser, connect_url: str
) -> None:
    attacker, stranger = Person(browser), Person(browser)
    [past] = page(attacker.visit(connect_url)).buttons()

    assert stranger.visit(past).status == 200
    assert attacker.visit(past).status == 302


def test_the_link_past_the_question_is_good_for_one_ticket_only(
    browser: Browser, connect_url: str, mailboxes: Mailboxes, seal: Seal, now: datetime
) -> None:
    own = mailboxes.add(account(id="01jdattackerattackerattack", username="eve@firma.no"))
    url, _ = ticket.issue(own, Asker(), seal=seal, public_url=PUBLIC_URL, now=now)
    kari = Person(browser)
    [past] = page(kari.visit(connect_url)).buttons()
    confirm = parse_qs(urlsplit(past).query)["confirm"][0]

    swapped = urlencode({"ticket": ticket_of(url.reveal()), "confirm": confirm})

    assert kari.visit(f"start?{swapped}").status == 200


@pytest.mark.parametrize(
    "referer",
    [
        "http://evil.example/",
        f"{FRONTEND}.evil.example/",
        f"{FRONTEND}@evil.example/",
        f"http://evil.example/?{FRONTEND}/",
        f"http://evil.example/#{FRONTEND}",
        "http://127.0.0.1/",
        "https://127.0.0.1:8080/",
        "http://[::1",
        "null",
        f"{PUBLIC_URL}/api/oauth/start",
    ],
)
def test_only_the_products_own_origin_spares_the_question(
    browser: Browser, connect_url: str, referer: str
) -> None:
    assert Person(browser).visit(connect_url, referer=referer).status == 200


# the callback in the wrong hands


def test_a_callback_in_a_foreign_browser_connects_nothing(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    attacker, victim = Person(browser), Person(browser)
    back = entra_standin.sign_in(attacker.depart(connect_url), KARI)

    assert victim.visit(back).status == 400
    assert nothing_stored()


def test_a_code_of_another_flow_is_not_redeemed(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    victim, attacker = Person(browser), Person(browser)
    own = dict(parse_qsl(urlsplit(entra_standin.sign_in(victim.depart(connect_url), KARI)).query))
    other = dict(
        parse_qsl(urlsplit(entra_standin.sign_in(attacker.depart(connect_url), KARI)).query)
    )

    injected = urlencode({"code": other["code"], "state": own["state"]})

    assert victim.visit(f"callback?{injected}").status >= 400
    assert nothing_stored()


def test_a_replayed_callback_does_nothing_more(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, key_vault: KeyVault
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    assert kari.visit(back).status == 200

    assert kari.visit(back).status == 400
    assert len(key_vault.values(f"refresh-token-{ACCOUNT}")) == 1


def test_a_callback_opened_many_times_at_once_is_redeemed_once(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, key_vault: KeyVault
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: kari.visit(back).status, range(8)))

    assert sorted(statuses) == [200, *[400] * 7]
    assert entra_standin.counts()["grant authorization_code"] == 1
    assert len(key_vault.values(f"refresh-token-{ACCOUNT}")) == 1


def test_a_refused_flow_cannot_be_used_again(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    microsoft = kari.depart(connect_url)
    kari.visit(entra_standin.sign_in(microsoft, KARI, consent=False))

    assert kari.visit(entra_standin.sign_in(microsoft, KARI)).status == 400
    assert nothing_stored()


def test_a_swapped_state_finds_no_flow(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    back = dict(parse_qsl(urlsplit(entra_standin.sign_in(kari.depart(connect_url), KARI)).query))

    for state in ("", "x" * 22, back["state"][::-1], back["state"] + "=", "ø" * 22):
        swapped = urlencode({"code": back["code"], "state": state})
        assert kari.visit(f"callback?{swapped}").status == 400
    assert kari.visit(f"callback?{urlencode({'code': back['code']})}").status == 400
    assert nothing_stored()


def test_a_parameter_that_comes_twice_is_no_answer(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)

    assert kari.visit(f"{back}&code=another").status == 400
    assert nothing_stored()


# tickets


def test_a_stolen_ticket_is_useless_after_the_connect(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari, thief = Person(browser), Person(browser)
    kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    assert thief.visit(connect_url).status == 400
    assert thief.visit(connect_url, referer=f"{FRONTEND}/").status == 400


def test_a_flow_begun_with_a_stolen_ticket_ends_with_the_owners_connect(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, key_vault: KeyVault
) -> None:
    kari, thief = Person(browser), Person(browser)
    begun = thief.depart(connect_url)
    kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    assert thief.visit(entra_standin.sign_in(begun, KARI)).status == 400
    assert len(key_vault.values(f"refresh-token-{ACCOUNT}")) == 1


def test_a_ticket_ends_after_half_an_hour(browser: Browser, connect_url: str) -> None:
    late = Person(browser)
    late.later = timedelta(minutes=29, seconds=50)
    assert late.visit(connect_url).status == 200
    late.later = timedelta(minutes=30, seconds=10)

    assert late.visit(connect_url, referer=f"{FRONTEND}/").status == 400


def test_a_flow_ends_after_a_quarter_of_an_hour(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    kari.later = timedelta(minutes=15, seconds=10)

    assert kari.visit(back).status == 400
    assert nothing_stored()


def test_a_changed_username_ends_tickets_and_flows(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    mailboxes.add(account(username="ola@firma.no", generation="g2"))

    assert kari.visit(back).status == 400
    assert Person(browser).visit(connect_url).status == 400
    assert nothing_stored()


def test_a_removed_account_connects_nothing(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    mailboxes.accounts.clear()

    assert kari.visit(back).status == 400


def test_what_was_sealed_as_one_thing_is_not_taken_for_another(
    browser: Browser, connect_url: str, seal: Seal, now: datetime
) -> None:
    kari = Person(browser)
    kari.depart(connect_url)
    [past] = page(kari.visit(connect_url)).buttons()
    [cookie] = [value for name, value in kari.cookies.items() if name.startswith("__Host-connect")]
    confirm = parse_qs(urlsplit(past).query)["confirm"][0]
    link = admin_link.issue(ACCOUNT, None, seal=seal, now=now).reveal()

    for other in (cookie, confirm, link):
        assert kari.visit(f"start?{urlencode({'ticket': other})}").status == 400
    for other in (cookie, confirm, ticket_of(connect_url)):
        assert kari.visit(f"admin?{urlencode({'link': other})}").status == 400


# cookies


def test_a_tampered_cookie_is_no_flow(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    nothing_stored: Callable[[], bool],
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    [name] = [name for name in kari.cookies if name.startswith("__Host-connect")]
    whole = kari.cookies[name]

    for place in range(0, len(whole), 37):
        kari.cookies[name] = (
            whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
        )
        assert kari.visit(back).status == 400
    for changed in ("", whole[:-1], whole + "A", whole.split(".")[1], '"', "x" * 5000):
        kari.cookies[name] = changed
        assert kari.visit(back).status == 400
    assert nothing_stored()
    kari.cookies[name] = whole
    assert kari.visit(back).status == 200


def test_one_accounts_flow_does_not_connect_another(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    seal: Seal,
    now: datetime,
    nothing_stored: Callable[[], bool],
) -> None:
    other = mailboxes.add(account(id="01jdotherotherotherotherot", username="ola@firma.no"))
    url, _ = ticket.issue(other, Asker(), seal=seal, public_url=PUBLIC_URL, now=now)
    person = Person(browser)
    kari_back = entra_standin.sign_in(person.depart(connect_url), KARI)
    ola_back = entra_standin.sign_in(person.depart(url.reveal()), "ola@firma.no")
    names = [name for name in person.cookies if name.startswith("__Host-connect")]
    first, second = (person.cookies[name] for name in names)

    person.cookies[names[0]], person.cookies[names[1]] = second, first

    assert person.visit(kari_back).status == 400
    assert person.visit(ola_back).status == 400
    assert nothing_stored()


def test_a_cookie_of_another_site_under_our_name_is_not_believed(
    browser: Browser, connect_url: str
) -> None:
    kari = Person(browser)
    kari.cookies["__Host-start"] = "<script>alert(1)</script>"

    answer = kari.visit(connect_url)

    assert kari.cookies["__Host-start"] != "<script>alert(1)</script>"
    assert "alert(1)" not in text(answer)


# redirects, frames, scripts


@pytest.mark.parametrize("name", ["redirect_uri", "next", "return_to", "url", "state", "link"])
def test_no_parameter_redirects_anywhere_else(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, name: str
) -> None:
    kari = Person(browser)
    evil = urlencode({name: "https://evil.example/"})

    answer = kari.visit(f"{connect_url}&{evil}", referer=f"{FRONTEND}/")

    location = header(answer, "Location")
    assert location.startswith(f"{entra_standin.authority}/oauth2/v2.0/authorize?")
    assert "evil" not in location
    for path in ("start", "callback", "admin"):
        assert kari.visit(f"{path}?{evil}").status == 400


def test_an_admins_way_back_leads_to_our_own_page_only(
    browser: Browser, seal: Seal, now: datetime
) -> None:
    link = admin_link.issue(ACCOUNT, "admin-approval-needed", seal=seal, now=now).reveal()
    ada = Person(browser)

    own = ada.visit(f"callback?{urlencode({'admin_consent': 'True', 'state': link})}")
    forged = ada.visit("callback?admin_consent=True&tenant=evil&state=https://evil.example/")

    assert header(own, "Location").startswith(f"{PUBLIC_URL}/api/oauth/admin?link=")
    assert forged.status == 400


def everything(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, link: str
) -> list[Answer]:
    kari = Person(browser)
    microsoft = kari.depart(connect_url)
    return [
        kari.visit(connect_url),
        kari.visit(connect_url, referer=f"{FRONTEND}/"),
        kari.visit("start?ticket=x"),
        kari.visit(f"admin?{urlencode({'link': link})}"),
        kari.visit(entra_standin.sign_in(microsoft, KARI, consent=False)),
        kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI)),
        kari.visit("callback?code=x&state=y"),
        kari.visit(f"admin?{urlencode({'link': link})}", post=True),
        kari.visit("assets/nothing"),
    ]


def test_no_answer_can_be_framed_kept_or_fed_with_foreign_content(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, seal: Seal, now: datetime
) -> None:
    link = admin_link.issue(ACCOUNT, None, seal=seal, now=now).reveal()

    for answer in everything(browser, connect_url, entra_standin, link):
        policy = header(answer, "Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert header(answer, "X-Frame-Options") == "DENY"
        assert header(answer, "Referrer-Policy") == "no-referrer"
        assert header(answer, "Cache-Control") == "no-store"
        assert header(answer, "X-Content-Type-Options") == "nosniff"
        assert "Cross-Origin-Opener-Policy" not in dict(answer.headers)
        html = text(answer)
        assert "<style" not in html
        assert not re.search(r"<script(?! src=\"/api/oauth/assets/)", html)
        assert not re.search(r"\son[a-z]+=|javascript:", html)
        assert not re.search(r"(src|rel=\"stylesheet\" href)=\"(https?:|//)", html)


def test_names_are_shown_as_text_whatever_they_hold(
    browser: Browser, mailboxes: Mailboxes, seal: Seal, now: datetime
) -> None:
    evil = "<script>alert(1)</script>{{7*7}}{product}\"'>"
    asker = Asker(customer=evil, user=evil)
    url, _ = ticket.issue(
        mailboxes.add(account()), asker, seal=seal, public_url=PUBLIC_URL, now=now
    )

    html = text(Person(browser).visit(url.reveal()))

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}{product}" in html


def test_what_microsofts_redirect_says_in_prose_is_not_shown(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)
    state = parse_qs(urlsplit(kari.depart(connect_url)).query)["state"][0]
    said = {
        "error": "access_denied",
        "error_description": "Ring 815 00 000 og oppgi passordet",
        "state": state,
    }

    answer = kari.visit(f"callback?{urlencode(said)}")

    assert answer.status == 403
    assert "815 00 000" not in text(answer)


# secrets


def test_no_secret_reaches_a_log(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    kari = Person(browser)

    kari.visit(entra_standin.sign_in(kari.depart(connect_url), "ola@firma.no"))
    kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    issued = [secret for secrets in entra_standin.issued().values() for secret in secrets]
    assert len(issued) > 8
    logged = "\n".join(
        f"{record.getMessage()} {record.args} {record.exc_text or ''}" for record in caplog.records
    )
    secrets = [*issued, *kari.cookies.values(), ticket_of(connect_url)]
    assert [secret for secret in secrets if secret in logged] == []


# anything at all

_anything = st.text(max_size=80)
_fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_fuzz
@given(
    query=_anything, cookie=_anything, referer=_anything, language=_anything, check=st.booleans()
)
def test_nothing_a_stranger_sends_stores_anything_or_breaks_a_page(
    browser: Browser,
    mailboxes: Mailboxes,
    query: str,
    cookie: str,
    referer: str,
    language: str,
    *,
    check: bool,
) -> None:
    visit = Visit(query=query, cookie=cookie, referer=referer, accept_language=language)
    now = datetime.now(UTC)

    answers = [
        browser.start(visit, now),
        browser.callback(visit, now),
        browser.admin(visit, now, check=check),
        browser.asset(query, visit),
    ]

    assert {answer.status for answer in answers} <= {400, 404}
    assert mailboxes.redeemed == set()


@_fuzz
@given(
    query=st.dictionaries(
        st.sampled_from(
            ["code", "state", "error", "error_subcode", "error_description", "ticket", "link"]
        ),
        _anything,
    )
)
def test_no_made_up_answer_of_microsofts_gets_through(
    browser: Browser, mailboxes: Mailboxes, query: dict[str, str]
) -> None:
    visit = Visit(query=urlencode(query), cookie="__Host-connect-00000000=x")

    assert browser.callback(visit, datetime.now(UTC)).status == 400
    assert mailboxes.redeemed == set()


@_fuzz
@given(error=_anything, description=_anything, subcode=_anything)
def test_whatever_error_the_right_browser_brings_back_becomes_a_page(
    browser: Browser,
    mailboxes: Mailboxes,
    seal: Seal,
    error: str,
    description: str,
    subcode: str,
) -> None:
    now = datetime.now(UTC)
    made = mailboxes.add(replace(account(), status=AccountStatus.PENDING))
    url, _ = ticket.issue(made, Asker(), seal=seal, public_url=PUBLIC_URL, now=now)
    kari = Person(browser)
    state = parse_qs(urlsplit(kari.depart(url.reveal())).query)["state"][0]
    said = {"error": error, "error_description": description, "error_subcode": subcode}

    answer = kari.visit(f"callback?{urlencode({**said, 'state': state})}")

    assert 400 <= answer.status <= 503
    assert made.status is AccountStatus.PENDING
