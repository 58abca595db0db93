"""What a user does on the page, in the words of the page."""

from playwright.sync_api import Locator, Page, expect

from local.demo.stack import PASSWORD, USERNAME


def begin_account(page: Page, username: str = USERNAME) -> Locator:
    """Open the dialog for a new account and fill it in; the dialog."""
    page.get_by_role("button", name="Ny e-postkonto").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Office 365-brukernavn").fill(username)
    return dialog


def press_ok(page: Page) -> None:
    """Press OK in the dialog."""
    page.get_by_role("dialog").get_by_role("button", name="OK").click()


def sign_in(page: Page) -> None:
    """Sign in at the stand-in for Microsoft."""
    page.get_by_label("Passord").fill(PASSWORD)
    page.get_by_role("button", name="Logg på").click()


def consent(page: Page) -> None:
    """Sign in and accept."""
    sign_in(page)
    page.get_by_role("button", name="Godta").click()


def return_to_product(page: Page) -> None:
    """Follow the link from the page at the end of connecting."""
    page.get_by_role("link", name="Gå tilbake til Quick3").click()


def connect_account(page: Page) -> None:
    """Create and connect an account, up to the list of accounts."""
    begin_account(page)
    press_ok(page)
    consent(page)
    return_to_product(page)
    page.get_by_role("dialog").get_by_role("button", name="Lukk", exact=True).click()


def send(page: Page, subject: str, to: str = "aase@kunde.no") -> Locator:
    """Write a message and send it; its row in the list of sent messages."""
    page.get_by_role("link", name="Ny e-post").click()
    page.get_by_label("Til", exact=True).fill(to)
    page.get_by_label("Emne").fill(subject)
    page.get_by_label("Melding").fill("Hei!")
    page.get_by_role("button", name="Send", exact=True).click()
    return page.locator("#sent li", has_text=subject)


def expect_status(row: Locator, status: str) -> None:
    """Wait until the message's or account's badge says *status*."""
    expect(row.locator(".badge")).to_have_text(status)
