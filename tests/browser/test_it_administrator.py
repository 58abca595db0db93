"""The whole dialog where SMTP AUTH is switched off: the user, the IT administrator, the mail."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from local.demo.letter import open_letter
from local.demo.stack import USERNAME, Stack
from tests.browser.steps import (
    begin_account,
    consent,
    expect_status,
    press_ok,
    return_to_product,
    sign_in,
)

type Picture = Callable[[Page, str], None]
type Check = Callable[[Page], None]


def test_the_administrator_ends_it_from_a_forwarded_link_and_the_test_message_arrives(
    page: Page,
    open_page: Callable[..., Page],
    stack: Stack,
    picture: Picture,
    check_access: Check,
) -> None:
    stack.standins.exchange.disable_smtp_auth_for_tenant("firma.no")
    begin_account(page)
    picture(page, "dialog")
    press_ok(page)
    consent(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("kan ikke sende ennå")
    picture(page, "connected-but-blocked")
    return_to_product(page)
    link = forwarded_link(page, picture, check_access)

    ada = open_page(link)  # a browser that has never met the product
    the_page_says_what_is_missing(ada, picture, check_access)
    press_check_again(ada, "Det er ikke i orden ennå")
    picture(ada, "admin-not-yet")
    stack.standins.exchange.disable_smtp_auth_for_tenant("firma.no", disabled=False)
    press_check_again(ada, "Det virket")
    picture(ada, "admin-worked")
    check_access(ada)

    account = page.locator("#accounts li")
    expect_status(account, "Tilkoblet")  # by itself: nobody touched the product's page
    account.get_by_role("button", name="Send test-e-post").click()
    expect(account.get_by_text(f"Test-e-posten er sendt til {USERNAME}")).to_be_visible()
    picture(page, "tested")
    [message] = stack.inbox()
    assert (message.envelope_from, *message.envelope_to) == (USERNAME, USERNAME)
    assert open_letter(message.content).subject == "Testmelding fra Quick3"


def forwarded_link(page: Page, picture: Picture, check_access: Check) -> str:
    """What the user copies out of the dialog, to send it on."""
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Krever handling", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Send denne lenken til IT-ansvarlig")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Kopier lenken").click()
    expect(dialog.get_by_role("button", name="Lenken er kopiert")).to_be_visible()
    picture(page, "dialog-link-for-it")
    check_access(page)
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied == dialog.get_by_label("Lenke til IT-ansvarlig").input_value()
    dialog.get_by_role("button", name="Lukk", exact=True).click()
    expect_status(page.locator("#accounts li"), "Krever handling")
    picture(page, "account-link-for-it")
    check_access(page)
    return copied


def the_page_says_what_is_missing(ada: Page, picture: Picture, check_access: Check) -> None:
    expect(ada.get_by_role("heading", level=1)).to_have_text(
        f"Hjelp {USERNAME} med å sende e-post"
    )
    expect(ada.get_by_text("Set-CASMailbox").first).to_be_visible()
    picture(ada, "admin")
    check_access(ada)


def press_check_again(ada: Page, outcome: str) -> None:
    ada.get_by_role("button", name="Kontroller igjen").click()
    expect(ada.get_by_role("status")).to_contain_text(outcome)


def test_a_tenant_that_wants_an_approval_first_is_helped_by_the_same_kind_of_link(
    page: Page, open_page: Callable[..., Page], stack: Stack, picture: Picture
) -> None:
    stack.standins.entra.require_admin_consent("firma.no")
    begin_account(page)
    press_ok(page)
    sign_in(page)
    expect(page.get_by_role("heading", name="Trenger administratorgodkjenning")).to_be_visible()
    page.get_by_role("button", name="Gå tilbake til appen").click()
    return_to_product(page)
    dialog = page.get_by_role("dialog")
    link = dialog.get_by_label("Lenke til IT-ansvarlig").input_value()
    picture(page, "dialog-approval")

    ada = open_page(link)
    picture(ada, "admin-approval")
    ada.get_by_role("link", name="Åpne lenken").click()
    approve(ada)
    expect(ada.get_by_role("status")).to_contain_text("organisasjonen har godkjent Quick3")
    picture(ada, "admin-approved")

    dialog.get_by_role("button", name="Koble til på nytt").click()
    sign_in(page)
    return_to_product(page)
    expect(dialog.get_by_text("Tilkoblet", exact=True)).to_be_visible()


def approve(ada: Page) -> None:
    """Sign in at the stand-in for Microsoft as the tenant's administrator, and accept."""
    ada.get_by_label("E-post eller telefon").fill("admin@firma.no")
    sign_in(ada)
    ada.get_by_role("button", name="Godta").click()
