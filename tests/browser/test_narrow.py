"""On a phone, in light and dark: nothing has to be scrolled sideways, nothing shuts anyone out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from local.demo.stack import USERNAME, Stack
from tests.browser.steps import begin_account, connect_account, expect_status, send

WIDTH = 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone(
    open_page: Callable[..., Page],
    picture: Callable[[Page, str], None],
    check_access: Callable[[Page], None],
    stack: Stack,
    scheme: str,
) -> None:
    def check(name: str) -> None:
        picture(page, name)
        check_access(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= WIDTH

    page = open_page(width=WIDTH, scheme=scheme)
    expect(page.get_by_text("Ingen e-postkontoer ennå")).to_be_visible()
    begin_account(page)
    check("dialog")
    page.get_by_role("dialog").get_by_role("button", name="Avbryt").click()
    connect_account(page)
    check("accounts")
    page.get_by_role("link", name="Ny e-post").click()
    check("compose")
    expect_status(send(page, "Faktura " + "10042" * 20), "Sendt")
    check("sent")
    page.get_by_role("link", name="Mottakerens innboks").click()
    expect(page.locator("#inbox h2")).to_be_visible()
    check("inbox")
    stack.standins.exchange.allow_smtp_auth(USERNAME, allowed=False)
    stack.standins.exchange.close_sessions()
    page.get_by_role("link", name="E-postkontoer").click()
    page.get_by_role("button", name="Send test-e-post").click()
    expect_status(page.locator("#accounts li"), "Krever handling")
    check("problem")
    page.get_by_role("button", name="Endre").click()
    check("dialog-problem")
