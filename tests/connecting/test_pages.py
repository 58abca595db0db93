"""Every page in a real browser: both languages, light and dark, phone, keyboard, no violations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

from local.standins.entra import Entra as EntraStandIn
from shared.accounts.account import AccountStatus, Identity, Obstacle
from shared.connecting import admin_link, ticket
from shared.connecting.browser import Browser
from shared.connecting.connect import Connecting
from shared.connecting.ticket import Sealer
from shared.microsoft.entra import Entra
from shared.microsoft.smtp import Reply
from shared.microsoft.submission import Phase, Reason, SubmissionError
from tests.connecting.serving import Serving, serving_pages, serving_product
from tests.connecting.walk import KARI, Asker, Mailboxes, Submission, account

ROOT = Path(__file__).parents[2]
AXE = ROOT / "local/axe/node_modules/axe-core/axe.min.js"
SHOTS = ROOT / "test-results/pages"
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1100, "height": 900}

SMTP_AUTH_OFF = Reply(
    535,
    "5.7.139",
    "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
    "https://aka.ms/smtp_auth_disabled for more information.",
)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Serving]]:
    with serving_pages() as pages:
        yield pages


@pytest.fixture(scope="module")
def product() -> Iterator[str]:
    with serving_product() as url:
        yield url


@dataclass
class House:
    """Everything a page can need, and ways to get to it."""

    url: str
    mailboxes: Mailboxes
    submission: Submission
    seal: Sealer
    entra: EntraStandIn

    def connect_url(self, **changes: object) -> str:
        made = self.mailboxes.add(account(**changes))
        url, _ = ticket.issue(
            made, Asker(), seal=self.seal, public_url=self.url, now=datetime.now(UTC)
        )
        return url.reveal()

    def admin_url(self, code: str | None, **changes: object) -> str:
        made = self.mailboxes.add(account(**changes))
        link = admin_link.issue(made.id, code, seal=self.seal, now=datetime.now(UTC))
        return admin_link.address(link, self.url)


@pytest.fixture
def house(
    served: tuple[str, Serving],
    product: str,
    connecting: Connecting,
    mailboxes: Mailboxes,
    submission: Submission,
    entra: Entra,
    entra_standin: EntraStandIn,
) -> House:
    url, serving = served
    serving.browser = Browser(
        connecting=replace(connecting, redirect_uri=f"{url}/api/oauth/callback"),
        consent=entra,
        public_url=url,
        product="Quick3",
        allowed_origins=(product,),
    )
    return House(url, mailboxes, submission, connecting.seal, entra_standin)


def opened(chromium: Chromium, language: str, **options: Any) -> BrowserContext:  # noqa: ANN401
    locale = {"nb": "nb-NO", "en": "en-GB"}[language]
    return chromium.new_context(locale=locale, ignore_https_errors=True, viewport=DESK, **options)


def sign_in(page: Page, username: str) -> None:
    """Type the name and password at Microsoft's stand-in."""
    page.fill("#username", username)
    page.fill("#password", "Sommer-2026!")
    page.click("button.main")


def accept(page: Page) -> None:
    page.click("button[value=accept]")


# how to get to each page


def start(page: Page, house: House) -> None:
    page.goto(house.connect_url())


def connected(page: Page, house: House) -> None:
    start(page, house)
    page.click("a.button")
    sign_in(page, KARI)
    accept(page)


def connected_with_another_sender(page: Page, house: House) -> None:
    page.goto(house.connect_url(address="faktura@firma.no"))
    page.click("a.button")
    sign_in(page, KARI)
    accept(page)


def connected_but_switched_off(page: Page, house: House) -> None:
    house.submission.refusal = SubmissionError(Phase.AUTH, Reason.REFUSED, reply=SMTP_AUTH_OFF)
    connected(page, house)


def connected_exchange_away(page: Page, house: House) -> None:
    house.submission.refusal = SubmissionError(Phase.CONNECT, Reason.TIMEOUT)
    connected(page, house)


def wrong_account(page: Page, house: House) -> None:
    start(page, house)
    page.click("a.button")
    sign_in(page, "ola@firma.no")
    accept(page)


def declined(page: Page, house: House) -> None:
    start(page, house)
    page.click("a.button")
    sign_in(page, KARI)
    page.click("button[value=cancel]")


def needs_admin(page: Page, house: House) -> None:
    house.entra.require_admin_consent("firma.no")
    start(page, house)
    page.click("a.button")
    sign_in(page, KARI)
    page.click("button.link")


def expired(page: Page, house: House) -> None:
    connect_url = house.connect_url()
    house.mailboxes.add(account(generation="g2"))
    page.goto(connect_url)


def other_browser(page: Page, house: House) -> None:
    page.goto(f"{house.url}/api/oauth/callback?code=x&state=yyyyyyyyyyyyyyyyyyyyyy")


def temporary_trouble(page: Page, house: House) -> None:
    start(page, house)
    page.click("a.button")
    sign_in(page, KARI)
    house.entra.fail_next(1, "unavailable", "token")
    accept(page)


def scope_missing(page: Page, house: House) -> None:
    house.entra.withhold_scope()
    connected(page, house)


def admin_smtp_auth(page: Page, house: House) -> None:
    values = {"username": KARI, "address": KARI, "product": "Quick3"}
    obstacle = Obstacle("smtp-auth-disabled-tenant", values, datetime.now(UTC))
    page.goto(house.admin_url(None, status=AccountStatus.ACTION_REQUIRED, obstacle=obstacle))


def admin_still_off(page: Page, house: House) -> None:
    connected_but_switched_off(page, house)
    page.click("a.quiet")
    page.click("button[type=submit]")


def admin_worked(page: Page, house: House) -> None:
    connected_but_switched_off(page, house)
    page.click("a.quiet")
    house.submission.refusal = None
    page.click("button[type=submit]")


def admin_consent(page: Page, house: House) -> None:
    page.goto(house.admin_url("admin-approval-needed"))


def admin_consented(page: Page, house: House) -> None:
    admin_consent(page, house)
    [consent] = [text for text in page.locator("code").all_inner_texts() if "adminconsent" in text]
    page.goto(consent)
    sign_in(page, "admin@firma.no")
    accept(page)


def admin_in_order(page: Page, house: House) -> None:
    identity = Identity(tenant_id="t", object_id="o", username=KARI)
    page.goto(house.admin_url(None, status=AccountStatus.CONNECTED, identity=identity))


def no_such_page(page: Page, house: House) -> None:
    page.goto(f"{house.url}/api/oauth/assets/nothing")


PAGES: dict[Callable[[Page, House], None], tuple[str, str]] = {
    start: ("Koble til kari@firma.no", "Connect kari@firma.no"),
    connected: ("Du kan gå tilbake til Quick3", "You can go back to Quick3"),
    connected_with_another_sender: ("bare en test-e-post vise", "only a test message can show"),
    connected_but_switched_off: ("kan ikke sende ennå", "cannot send yet"),
    connected_exchange_away: ("Vi fikk ikke prøvd alt", "We could not try everything"),
    wrong_account: ("ola@firma.no", "ola@firma.no"),
    declined: ("Du sa nei hos Microsoft", "You said no at Microsoft"),
    needs_admin: ("Send dette til IT-administratoren", "Send this to your IT administrator"),
    expired: ("Lenken er allerede brukt", "The link has been used"),
    other_browser: ("i denne nettleseren", "in this browser"),
    temporary_trouble: ("Prøv igjen", "Try again"),
    scope_missing: ("Retten til å sende ble ikke gitt", "The right to send was not given"),
    admin_smtp_auth: ("-SmtpClientAuthenticationDisabled", "-SmtpClientAuthenticationDisabled"),
    admin_still_off: ("Det er ikke i orden ennå", "It is not in order yet"),
    admin_worked: ("Det virket", "It worked"),
    admin_consent: ("adminconsent", "adminconsent"),
    admin_consented: ("organisasjonen har godkjent", "the organisation has approved"),
    admin_in_order: ("Alt er i orden for", "All is in order for"),
    no_such_page: ("Siden finnes ikke", "There is no such page"),
}


def violations(page: Page) -> list[str]:
    """What axe-core holds against the page, with every rule of WCAG 2.2 A and AA and its own."""
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def is_too_wide(page: Page) -> bool:
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("get_to", PAGES, ids=lambda way: way.__name__.replace("_", "-"))
def test_every_page_says_its_thing_and_shuts_nobody_out(
    chromium: Chromium, house: House, get_to: Callable[[Page, House], None], language: str
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    name = f"{get_to.__name__.replace('_', '-')}-{language}"
    with opened(chromium, language, color_scheme="light", bypass_csp=False) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        get_to(page, house)

        assert PAGES[get_to][language == "en"] in page.locator("main").inner_text()
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert language != "nb" or violations(page) == []
        page.set_viewport_size(PHONE)
        assert not is_too_wide(page)
        page.screenshot(path=SHOTS / f"{name}-phone-dark.png", full_page=True)
        assert wrong == []


def test_the_whole_way_works_without_javascript(chromium: Chromium, house: House) -> None:
    with opened(chromium, "nb", java_script_enabled=False) as context:
        page = context.new_page()

        connected(page, house)

        assert "Du kan gå tilbake til Quick3" in page.locator("main").inner_text()


def test_the_whole_way_works_with_the_keyboard(chromium: Chromium, house: House) -> None:
    with opened(chromium, "nb") as context:
        page = context.new_page()
        start(page, house)

        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        page.keyboard.press("Enter")
        page.wait_for_selector("#password")

        assert outline == "solid"
        assert page.locator("#username").input_value() == KARI


def test_the_window_that_opened_the_page_is_told(
    chromium: Chromium, house: House, product: str
) -> None:
    with opened(chromium, "nb") as context:
        page = context.new_page()
        page.goto(f"{product}/#{house.connect_url()}")
        with context.expect_page() as popup:
            page.click("button")
        window = popup.value

        sign_in(window, KARI)  # from the product's page there is no question in between
        accept(window)
        window.wait_for_selector("#connected")
        page.wait_for_function("told.length")

        assert page.evaluate("told") == [
            [house.url, {"type": "mailbox-connected", "account": account().id}]
        ]


def test_another_sites_window_is_told_nothing(chromium: Chromium, house: House) -> None:
    with serving_product() as stranger, opened(chromium, "nb") as context:
        page = context.new_page()
        page.goto(f"{stranger}/#{house.connect_url()}")
        with context.expect_page() as popup:
            page.click("button")
        window = popup.value

        window.click("a.button")
        sign_in(window, KARI)
        accept(window)
        window.wait_for_selector("#connected")
        page.wait_for_timeout(300)

        assert page.evaluate("told") == []


def test_no_page_can_be_framed(chromium: Chromium, house: House, product: str) -> None:
    with opened(chromium, "nb") as context:
        page = context.new_page()
        page.goto(product)
        page.evaluate(
            "url => { const frame = document.createElement('iframe'); frame.src = url;"
            " document.body.append(frame); return new Promise(done => frame.onload = done); }",
            f"{house.url}/api/oauth/callback?code=x&state=y",
        )

        assert "chrome-error" in page.frames[1].url


def test_copying_a_command_copies_all_of_it(chromium: Chromium, house: House) -> None:
    with opened(chromium, "nb", permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        admin_smtp_auth(page, house)

        box = page.locator(".copyable").first
        box.locator("button").click()

        expect(box.locator("button")).to_contain_text("Kopiert")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == box.locator("code").inner_text()
