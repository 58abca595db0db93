"""On a phone: nothing has to be scrolled sideways, in light and dark."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import begin_account, connect_account, expect_status, send

WIDTH = 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone(
    open_page: Callable[..., Page], picture: Callable[[Page, str], None], scheme: str
) -> None:
    page = open_page(width=WIDTH, scheme=scheme)
    expect(page.get_by_text("Ingen e-postkontoer ennå")).to_be_visible()
    begin_account(page)
    check(page, picture, "dialog")
    page.get_by_role("dialog").get_by_role("button", name="Avbryt").click()
    connect_account(page)
    check(page, picture, "accounts")
    page.get_by_role("link", name="Ny e-post").click()
    check(page, picture, "compose")
    expect_status(send(page, "Faktura " + "10042" * 20), "Sendt")
    check(page, picture, "sent")
    page.get_by_role("link", name="Mottakerens innboks").click()
    expect(page.locator("#inbox h2")).to_be_visible()
    check(page, picture, "inbox")


def check(page: Page, picture: Callable[[Page, str], None], name: str) -> None:
    picture(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= WIDTH
