"""When something is in the way: the page says what, who ends it and how, and sees it end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from local.demo.stack import USERNAME, Stack
from tests.browser.steps import (
    begin_account,
    connect_account,
    consent,
    expect_status,
    press_ok,
    return_to_product,
    send,
    sign_in,
)

type Picture = Callable[[Page, str], None]


def test_smtp_auth_switched_off_is_explained_and_the_mail_leaves_when_it_is_on(
    page: Page, stack: Stack, picture: Picture
) -> None:
    stack.standins.exchange.allow_smtp_auth(USERNAME, allowed=False)
    begin_account(page)
    press_ok(page)
    consent(page)
    expect(page.get_by_text("Set-CASMailbox").first).to_be_visible()
    picture(page, "connected-but-blocked")
    return_to_product(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Krever handling", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Dette må IT-ansvarlig hos dere ordne")).to_be_visible()
    expect(dialog.locator("code", has_text=f"Set-CASMailbox -Identity {USERNAME}")).to_be_visible()
    picture(page, "dialog-problem")
    dialog.get_by_role("button", name="Lukk", exact=True).click()

    row = send(page, "Venter på IT")
    expect_status(row, "Venter på kontoen")
    picture(page, "held")

    page.get_by_role("link", name="E-postkontoer").click()
    account = page.locator("#accounts li")
    expect(account.get_by_text("Krever handling")).to_be_visible()
    picture(page, "account-problem")
    stack.standins.exchange.allow_smtp_auth(USERNAME)
    account.get_by_role("button", name="Sjekk på nytt").click()
    expect_status(account, "Tilkoblet")
    page.get_by_role("link", name="Sendt", exact=True).click()
    expect_status(row, "Sendt")


def test_a_permission_that_ended_is_given_again_and_the_mail_leaves(
    page: Page, stack: Stack, picture: Picture
) -> None:
    stack.standins.entra.access_token_life(60)  # so short that each use asks for a new one
    connect_account(page)
    stack.standins.entra.revoke_sessions(USERNAME)
    row = send(page, "Venter på Kari")
    expect_status(row, "Venter på kontoen")

    page.get_by_role("link", name="E-postkontoer").click()
    account = page.locator("#accounts li")
    expect_status(account, "Krever handling")
    expect(account.get_by_text("Venter på å bli sendt")).to_be_visible()
    picture(page, "account-problem")
    account.get_by_role("button", name="Koble til på nytt").click()
    sign_in(page)
    return_to_product(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Tilkoblet", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Lukk", exact=True).click()
    page.get_by_role("link", name="Sendt", exact=True).click()
    expect_status(row, "Sendt")


def test_an_uncertain_message_waits_for_the_users_word(
    page: Page, stack: Stack, picture: Picture
) -> None:
    connect_account(page)
    stack.standins.exchange.drop_at("content-end-after-store")

    row = send(page, "Kom den fram?")
    expect_status(row, "Uvisst")
    picture(page, "uncertain")
    row.get_by_role("button", name="Send på nytt").click()
    confirm = page.get_by_role("dialog", name="Sende en gang til?")
    expect(confirm).to_be_visible()
    picture(page, "confirm")
    confirm.get_by_role("button", name="Avbryt").click()
    row.get_by_role("button", name="Den kom fram").click()
    expect_status(row, "Sendt")
    assert len(stack.inbox()) == 1


def test_a_message_that_waits_for_its_time_can_be_cancelled(page: Page, stack: Stack) -> None:
    connect_account(page)
    page.get_by_role("link", name="Ny e-post").click()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    page.get_by_label("Send tidligst").fill(f"{tomorrow:%Y-%m-%dT%H:%M}")
    row = send(page, "Ikke ennå")

    expect_status(row, "I kø")
    row.get_by_role("button", name="Avbryt sending").click()
    expect_status(row, "Avbrutt")
    assert stack.inbox() == []


def test_faults_of_a_message_stand_beside_their_fields(page: Page, picture: Picture) -> None:
    connect_account(page)
    page.get_by_role("link", name="Ny e-post").click()
    page.get_by_label("Til", exact=True).fill("aase@kunde.no, ikke en adresse")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_label("Til", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Melding")).to_have_attribute("aria-invalid", "true")
    picture(page, "faults")


def test_a_service_that_is_away_is_said_and_loses_nothing(
    page: Page, stack: Stack, picture: Picture
) -> None:
    connect_account(page)
    page.get_by_role("link", name="Ny e-post").click()
    page.route(f"{stack.api}/**", lambda route: route.abort())
    page.get_by_label("Til", exact=True).fill("aase@kunde.no")
    page.get_by_label("Melding").fill("Hei!")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("Vi får ikke kontakt")
    expect(page.get_by_label("Melding")).to_have_value("Hei!")
    picture(page, "unreachable")
