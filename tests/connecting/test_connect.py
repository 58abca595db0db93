"""Connecting from the link to the confirmation, and everything that can end it on the way."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from local.standins.entra import Entra as EntraStandIn
from local.standins.key_vault import KeyVault
from shared.accounts.account import AccountStatus
from shared.connecting.browser import Browser
from shared.microsoft.smtp import Reply
from shared.microsoft.submission import Phase, Reason, SubmissionError
from shared.store.vault import Vault
from tests.connecting.walk import (
    FRONTEND,
    KARI,
    PUBLIC_URL,
    Mailboxes,
    Person,
    Submission,
    account,
    header,
    page,
)

ACCOUNT = account().id


def test_the_main_way_from_link_to_confirmation(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    vault: Vault,
    woken: list[str],
) -> None:
    kari = Person(browser)

    microsoft = kari.depart(connect_url)
    answer = kari.visit(entra_standin.sign_in(microsoft, KARI))

    assert answer.status == 200
    assert "Du kan gå tilbake til Quick3" in page(answer).words
    found = mailboxes.accounts[ACCOUNT]
    assert found.status is AccountStatus.CONNECTED
    assert found.scope == ("https://outlook.office.com/SMTP.Send",)
    assert found.identity is not None
    assert found.identity.username == KARI
    stored = vault.get_refresh_token(ACCOUNT)
    assert stored is not None
    assert stored.token.reveal() in entra_standin.issued()["refresh_token"]
    assert woken == [ACCOUNT]


def test_the_opener_is_told_at_allowed_origins_only(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    [told] = [found for _, found in page(answer).tags if found.get("id") == "connected"]
    assert (told["data-account"], told["data-origins"]) == (ACCOUNT, FRONTEND)


def test_the_page_before_microsoft_says_who_asks_for_what(
    browser: Browser, connect_url: str
) -> None:
    answer = Person(browser).visit(connect_url)

    words = page(answer).words
    for said in ("Kari Nordmann", "firma-17", KARI, "Sende e-post som deg", "kan ikke lese"):
        assert said in words


def test_from_the_products_own_page_there_is_no_question(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    answer = Person(browser).visit(connect_url, referer=f"{FRONTEND}/")

    assert answer.status == 302
    assert header(answer, "Location").startswith(
        f"{entra_standin.authority}/oauth2/v2.0/authorize"
    )


def test_two_tabs_work_side_by_side_and_the_second_learns_that_it_is_done(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    kari = Person(browser)
    one, other = kari.depart(connect_url), kari.depart(connect_url)

    first = kari.visit(entra_standin.sign_in(one, KARI))
    second = kari.visit(entra_standin.sign_in(other, KARI))

    assert (first.status, second.status) == (200, 400)
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.CONNECTED


def test_either_of_two_tabs_can_finish(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)
    kari.depart(connect_url)
    other = kari.depart(connect_url)
    kari.depart(connect_url)

    assert kari.visit(entra_standin.sign_in(other, KARI)).status == 200


def test_a_browser_keeps_only_so_many_flows_open_and_the_newest_ones(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)
    tabs = [kari.depart(connect_url) for _ in range(12)]

    assert len([name for name in kari.cookies if "connect" in name]) == 8
    assert kari.visit(entra_standin.sign_in(tabs[0], KARI)).status == 400
    assert kari.visit(entra_standin.sign_in(tabs[4], KARI)).status == 200


def test_the_wrong_person_is_told_both_names_and_can_try_again(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    key_vault: KeyVault,
) -> None:
    kari = Person(browser)

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), "ola@firma.no"))

    assert answer.status == 403
    assert KARI in page(answer).words
    assert "ola@firma.no" in page(answer).words
    assert mailboxes.accounts[ACCOUNT] == account(
        created_at=mailboxes.accounts[ACCOUNT].created_at
    )
    assert not any(name.startswith("refresh-token") for name in key_vault.names())
    [again] = page(answer).buttons()
    microsoft = header(kari.visit(again), "Location")
    assert parse_qs(urlsplit(microsoft).query)["prompt"] == ["select_account"]
    assert kari.visit(entra_standin.sign_in(microsoft, KARI)).status == 200


def test_capitals_in_the_username_do_not_matter(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    mailboxes.add(account(username="Kari@Firma.NO"))
    kari = Person(browser)

    assert kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI)).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-application"},
        {"aud": None},
        {"iss": "https://login.example/other/v2.0"},
        {"tid": "firma.no"},
        {"tid": "00000000-0000-0000-0000-000000000000"},
        {"exp": 1},
        {"exp": None},
        {"oid": None},
        {"preferred_username": None},
        {"preferred_username": None, "email": KARI},
        {"preferred_username": ["kari@firma.no"]},
        {"nonce": "another"},
    ],
)
def test_an_id_token_that_does_not_hold_connects_nothing(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    key_vault: KeyVault,
    claims: dict[str, object],
) -> None:
    kari = Person(browser)
    microsoft = kari.depart(connect_url)
    entra_standin.alter_id_token(**claims)

    answer = kari.visit(entra_standin.sign_in(microsoft, KARI))

    assert answer.status >= 400
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.PENDING
    assert not any(name.startswith("refresh-token") for name in key_vault.names())


def test_the_email_claim_is_not_believed(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    kari = Person(browser)
    microsoft = kari.depart(connect_url)
    entra_standin.alter_id_token(email=KARI)

    assert kari.visit(entra_standin.sign_in(microsoft, "per@annen.no")).status == 403
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.PENDING


def test_without_the_right_to_send_nothing_is_stored(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    kari = Person(browser)
    entra_standin.withhold_scope()

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    assert answer.status >= 400
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.PENDING


def test_without_a_refresh_token_nothing_is_stored(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, mailboxes: Mailboxes
) -> None:
    kari = Person(browser)
    entra_standin.withhold_refresh_token()

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    assert answer.status >= 400
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.PENDING


def test_who_declines_can_try_again_or_ask_the_admin(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)

    back = entra_standin.sign_in(kari.depart(connect_url), KARI, consent=False)
    answer = kari.visit(back)

    assert "Prøv igjen" in page(answer).words
    assert "/api/oauth/admin?link=" in page(answer).words
    [again] = page(answer).buttons()
    assert kari.visit(again).status == 302


def test_who_needs_an_admin_gets_a_link_that_ends_in_an_approval(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    entra_standin.require_admin_consent("firma.no")
    kari, ada = Person(browser), Person(browser)
    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))
    [forwarded] = [word for word in page(answer).words.split() if "/oauth/admin?" in word]

    shown = ada.visit(forwarded)
    [consent] = [word for word in page(shown).words.split() if "/adminconsent?" in word]
    back = ada.visit(entra_standin.approve_for_tenant(consent, "admin@firma.no"))
    thanks = ada.visit(header(back, "Location"))

    assert header(back, "Location").startswith(f"{PUBLIC_URL}/api/oauth/admin?")
    assert thanks.status == 200
    assert "Alt er i orden" not in page(thanks).words
    assert "organisasjonen har godkjent Quick3" in page(thanks).words
    [again] = page(answer).buttons()
    microsoft = header(kari.visit(again), "Location")
    assert kari.visit(entra_standin.sign_in(microsoft, KARI)).status == 200


def test_smtp_auth_switched_off_keeps_the_token_and_asks_the_admin(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    submission: Submission,
    vault: Vault,
) -> None:
    text_ = "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    reply = Reply(535, "5.7.139", text_)
    submission.refusal = SubmissionError(Phase.AUTH, Reason.REFUSED, reply=reply)
    kari, ada = Person(browser), Person(browser)

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    found = mailboxes.accounts[ACCOUNT]
    assert found.status is AccountStatus.ACTION_REQUIRED
    assert found.obstacle is not None
    assert vault.get_refresh_token(ACCOUNT) is not None
    assert answer.status == 200
    [forwarded] = [word for word in page(answer).words.split() if "/oauth/admin?" in word]

    shown = page(ada.visit(forwarded))
    assert "-SmtpClientAuthenticationDisabled $false" in shown.words
    [form] = [found for tag, found in shown.tags if tag == "form"]
    still = ada.visit(str(form["action"]), post=True)
    assert "ikke i orden ennå" in page(still).words
    submission.refusal = None
    worked = ada.visit(str(form["action"]), post=True)

    assert "Det virket" in page(worked).words
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.CONNECTED


def test_exchange_out_of_reach_does_not_undo_the_connect(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    submission: Submission,
) -> None:
    submission.refusal = SubmissionError(Phase.CONNECT, Reason.UNREACHABLE)
    kari = Person(browser)

    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), KARI))

    assert answer.status == 200
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.CONNECTED
    assert "ikke prøvd" in page(answer).words


@pytest.mark.parametrize("kind", ["unavailable", "dropped", "throttled"])
def test_trouble_at_entra_is_temporary_and_can_be_tried_again(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn, kind: str
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    entra_standin.fail_next(1, kind, "token")

    answer = kari.visit(back)

    assert answer.status in (429, 503)
    [again] = page(answer).buttons()
    microsoft = header(kari.visit(again), "Location")
    assert kari.visit(entra_standin.sign_in(microsoft, KARI)).status == 200


def test_a_vault_that_is_down_leaves_the_account_as_it_was(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    key_vault: KeyVault,
) -> None:
    kari = Person(browser)
    back = entra_standin.sign_in(kari.depart(connect_url), KARI)
    key_vault.be_unavailable()

    answer = kari.visit(back)

    assert answer.status == 503
    assert mailboxes.accounts[ACCOUNT].status is AccountStatus.PENDING


def test_another_try_is_not_offered_for_ever(
    browser: Browser, connect_url: str, entra_standin: EntraStandIn
) -> None:
    kari = Person(browser)
    tries = 0
    answer = kari.visit(entra_standin.sign_in(kari.depart(connect_url), "ola@firma.no"))
    while tries < 20 and (buttons := page(answer).buttons()):
        kari.later += timedelta(minutes=14)
        answer = kari.visit(buttons[0])
        if answer.status == 302:
            back = entra_standin.sign_in(header(answer, "Location"), "ola@firma.no")
            answer = kari.visit(back)
            tries += 1

    assert 6 < tries < 10
    assert kari.later < timedelta(hours=2, minutes=15)


def test_a_reconnect_of_the_same_name_is_welcome_even_as_a_new_object(
    browser: Browser,
    connect_url: str,
    entra_standin: EntraStandIn,
    mailboxes: Mailboxes,
    now: datetime,
) -> None:
    kari = Person(browser)
    microsoft = kari.depart(connect_url)
    entra_standin.alter_id_token(oid="8f14e45f-ceea-467f-a0e6-9f0c1b7f0001")

    assert kari.visit(entra_standin.sign_in(microsoft, KARI)).status == 200
    identity = mailboxes.accounts[ACCOUNT].identity
    assert identity is not None
    assert identity.object_id == "8f14e45f-ceea-467f-a0e6-9f0c1b7f0001"
