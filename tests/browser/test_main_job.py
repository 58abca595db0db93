"""The main job as a user does it: from the account dialog to the recipient's inbox."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from local.demo.invoice import pdf
from local.demo.letter import open_letter
from local.demo.stack import PASSWORD, SHARED, USERNAME, Stack

NAME = "Blåbær & Sønner AS"
SUBJECT = "Faktura 10042: rømmegrøt, ål og blåbær"
TEXT = "Hei Åse!\n\nHer er fakturaen for ærfugl og sjøørret.\n\nKari Ødegård"
FILENAME = "Faktura ÆØÅ 10042.pdf"


def test_a_user_connects_a_mailbox_and_sends_an_invoice(
    page: Page, stack: Stack, picture: Callable[[Page, str], None], tmp_path: Path
) -> None:
    fill_in_the_dialog(page, picture)
    consent_at_microsoft(page, picture)
    send_a_test_message(page, picture)
    write_the_invoice(page, picture, tmp_path)
    find_it_in_the_inbox(page, picture)

    test_message, invoice = stack.inbox()
    letter = open_letter(invoice.content)
    assert set(test_message.envelope_to) == {SHARED}
    assert set(invoice.envelope_to) == {"aase@kunde.no", "regnskap@kunde.no", "arkiv@firma.no"}
    assert (invoice.user, invoice.envelope_from) == (USERNAME, SHARED)
    assert (letter.subject, letter.text) == (SUBJECT, TEXT)
    assert letter.sender == f"{NAME} <{SHARED}>"
    assert [(each.filename, len(each.content)) for each in letter.attachments] == [
        (FILENAME, 300_000)
    ]
    assert b"arkiv@firma.no" not in invoice.content


def fill_in_the_dialog(page: Page, picture: Callable[[Page, str], None]) -> None:
    expect(page.get_by_text("Ingen e-postkontoer ennå")).to_be_visible()
    picture(page, "accounts-none")
    page.get_by_role("button", name="Ny e-postkonto").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kontotype").select_option("Microsoft Office 365")
    expect(dialog.get_by_role("group", name="Omfang")).to_contain_text("Sende e-post som deg")
    expect(dialog.get_by_role("group", name="Omfang")).to_contain_text("SMTP.Send")
    expect(dialog.get_by_label("Passord")).to_be_disabled()
    dialog.get_by_label("Office 365-brukernavn").fill(USERNAME)
    expect(dialog.get_by_label("E-postkonto du vil sende fra")).to_have_value(USERNAME)
    dialog.get_by_label("E-postkonto du vil sende fra").fill(SHARED)
    dialog.get_by_label("Avsendernavn").fill(NAME)
    picture(page, "dialog-filled-in")
    dialog.get_by_role("button", name="OK").click()


def consent_at_microsoft(page: Page, picture: Callable[[Page, str], None]) -> None:
    expect(page.get_by_role("heading", name="Logg på")).to_be_visible()
    expect(page.get_by_label("E-post eller telefon")).to_have_value(USERNAME)
    picture(page, "microsoft-sign-in")
    page.get_by_label("Passord").fill(PASSWORD)
    page.get_by_role("button", name="Logg på").click()
    expect(page.get_by_text("Send e-post på vegne av deg")).to_be_visible()
    picture(page, "microsoft-consent")
    page.get_by_role("button", name="Godta").click()
    expect(page.get_by_role("heading", name="Autentiseringen var vellykket")).to_be_visible()
    picture(page, "confirmation")
    page.get_by_role("link", name="Gå tilbake til Quick3").click()


def send_a_test_message(page: Page, picture: Callable[[Page, str], None]) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Tilkoblet", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Dette har du godtatt")).to_be_visible()
    picture(page, "dialog-connected")
    dialog.get_by_role("button", name="Send test-e-post").click()
    expect(dialog.get_by_text(f"Test-e-posten er sendt til {SHARED}")).to_be_visible()
    expect(dialog.get_by_text("Microsoft svarte: 250 2.0.0 OK")).to_be_visible()
    picture(page, "dialog-tested")
    dialog.get_by_role("button", name="Lukk", exact=True).click()
    expect(page.get_by_role("heading", name=f"{NAME} <{SHARED}>")).to_be_visible()
    picture(page, "accounts-connected")


def write_the_invoice(page: Page, picture: Callable[[Page, str], None], folder: Path) -> None:
    invoice = folder / FILENAME
    invoice.write_bytes(pdf(300_000, "Faktura 10042"))
    page.get_by_role("link", name="Ny e-post").click()
    page.get_by_label("Til", exact=True).fill('"Ødegård, Åse" <aase@kunde.no>')
    page.get_by_label("Kopi", exact=True).fill("regnskap@kunde.no")
    page.get_by_label("Blindkopi").fill("arkiv@firma.no")
    page.get_by_label("Emne").fill(SUBJECT)
    page.get_by_label("Melding").fill(TEXT)
    page.get_by_label("Vedlegg").set_input_files(invoice)
    picture(page, "compose")
    page.get_by_role("button", name="Send", exact=True).click()
    sent = page.locator("#sent li", has_text=SUBJECT)
    expect(sent.locator(".badge")).to_have_text("Sendt")
    sent.get_by_text("Svaret fra Microsoft").click()
    expect(sent).to_contain_text("250 2.0.0 OK")
    picture(page, "sent")


def find_it_in_the_inbox(page: Page, picture: Callable[[Page, str], None]) -> None:
    page.get_by_role("link", name="Mottakerens innboks").click()
    page.get_by_label("Mottaker", exact=True).select_option("aase@kunde.no")
    letter = page.locator("#inbox li").first
    expect(letter.get_by_role("heading", name=SUBJECT)).to_be_visible()
    expect(letter).to_contain_text("Her er fakturaen for ærfugl og sjøørret.")
    with page.expect_download() as download:
        letter.get_by_role("link", name=FILENAME).click()
    assert Path(download.value.path()).read_bytes() == pdf(300_000, "Faktura 10042")
    letter.get_by_text("Konvolutt og kilde").click()
    expect(letter).to_contain_text("arkiv@firma.no")
    picture(page, "inbox")
