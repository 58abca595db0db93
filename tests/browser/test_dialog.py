"""The account dialog: what it lets one do, what it says is wrong, the ways back from Microsoft."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from local.demo.stack import Stack
from tests.browser.steps import begin_account, consent, press_ok, return_to_product, sign_in

type Picture = Callable[[Page, str], None]


def test_the_password_is_only_for_other_account_types(page: Page) -> None:
    dialog = begin_account(page)

    expect(dialog.get_by_label("Passord")).to_be_disabled()
    dialog.get_by_label("Kontotype").select_option("SMTP med brukernavn og passord")
    expect(dialog.get_by_label("Passord")).to_be_enabled()
    expect(dialog.get_by_role("group", name="Omfang")).to_be_hidden()
    expect(dialog.get_by_role("button", name="OK")).to_be_disabled()


def test_the_address_follows_the_username_until_it_is_edited(page: Page) -> None:
    dialog = begin_account(page, "kari@firma.no")
    address = dialog.get_by_label("E-postkonto du vil sende fra")

    expect(address).to_have_value("kari@firma.no")
    address.fill("faktura@firma.no")
    dialog.get_by_label("Office 365-brukernavn").fill("ola@firma.no")
    expect(address).to_have_value("faktura@firma.no")


def test_what_the_api_finds_wrong_stands_beside_the_field(page: Page, picture: Picture) -> None:
    dialog = begin_account(page, "kari")
    press_ok(page)

    username = dialog.get_by_label("Office 365-brukernavn")
    expect(username).to_have_attribute("aria-invalid", "true")
    expect(username).to_be_focused()
    expect(dialog.locator("#account-username-fault")).not_to_be_empty()
    picture(page, "fault")
    username.fill("kari@firma.no")
    press_ok(page)
    expect(page.get_by_role("heading", name="Logg på")).to_be_visible()


def test_who_declines_comes_back_to_an_account_that_is_not_connected(
    page: Page, picture: Picture
) -> None:
    begin_account(page)
    press_ok(page)
    sign_in(page)
    page.get_by_role("button", name="Avbryt").click()
    expect(page.get_by_role("link", name="Gå tilbake til Quick3")).to_be_visible()
    picture(page, "declined")
    return_to_product(page)

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Ikke tilkoblet", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Du sa nei hos Microsoft")).to_be_visible()
    expect(dialog.get_by_label("Lenke til IT-ansvarlig")).to_have_value(re.compile("oauth/admin"))
    picture(page, "not-connected")
    press_ok(page)
    consent(page)
    return_to_product(page)
    expect(dialog.get_by_text("Tilkoblet", exact=True)).to_be_visible()


def test_a_window_of_its_own_tells_the_dialog_that_it_is_done(
    page: Page, stack: Stack, picture: Picture
) -> None:
    dialog = begin_account(page)
    dialog.get_by_label("Logg inn i eget vindu").check()
    with page.expect_popup() as opened:
        press_ok(page)
    window = opened.value
    expect(dialog.get_by_text("Logg inn hos Microsoft i vinduet")).to_be_visible()
    consent(window)

    expect(dialog.get_by_text("Tilkoblet", exact=True)).to_be_visible()
    expect(window.get_by_role("heading", name="Autentiseringen var vellykket")).to_be_visible()
    picture(window, "window")
    picture(page, "dialog")
    assert page.url.startswith(stack.page_url)


def test_a_window_that_is_closed_leaves_the_account_unconnected(page: Page) -> None:
    dialog = begin_account(page)
    dialog.get_by_label("Logg inn i eget vindu").check()
    with page.expect_popup() as opened:
        press_ok(page)
    opened.value.wait_for_load_state()
    opened.value.close()

    expect(dialog.get_by_text("Kontoen er ikke koblet til ennå")).to_be_visible()
    expect(dialog.get_by_role("button", name="OK")).to_be_enabled()
