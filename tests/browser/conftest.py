"""The demo's stack, and a Chromium in front of its page."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from local.demo.report import Report
from local.demo.stack import Stack, prepare, running

type Scheme = Literal["light", "dark"]

PICTURES = Path("test-results") / "browser"
AXE = Path("local/axe/node_modules/axe-core/axe.min.js")
PATIENCE = 15_000
"""Milliseconds that a page may take: the machine may be busy with other things."""


@pytest.fixture(scope="session")
def demo() -> Iterator[Stack]:
    """The whole stack with its page."""
    with running(Report()) as stack:
        yield stack


@pytest.fixture
def stack(demo: Stack) -> Stack:
    """The stack with no accounts, empty inboxes, and nobody misbehaving."""
    _delete_accounts(demo)
    demo.standins.reset()
    prepare(demo.standins)
    return demo


def _delete_accounts(demo: Stack) -> None:
    headers = {"Authorization": f"Bearer {demo.session().token}"}
    answer = requests.get(f"{demo.api}/accounts?limit=100", headers=headers, timeout=60)
    for account in answer.json()["items"]:
        url = f"{demo.api}/accounts/{account['id']}"
        assert requests.delete(url, headers=headers, timeout=60).status_code == 204


@pytest.fixture
def open_page(chromium: Browser, stack: Stack) -> Iterator[Callable[..., Page]]:
    """Open a page, of the demo or not, in a context of its own; complaints fail the test."""
    expect.set_options(timeout=PATIENCE)
    complaints: list[str] = []
    contexts = []

    def opened(address: str = "", *, width: int = 1200, scheme: Scheme = "light") -> Page:
        context = chromium.new_context(
            locale="nb-NO",
            timezone_id="Europe/Oslo",
            ignore_https_errors=True,  # the sign-in's certificate is of a throw-away authority
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(message.type, message.text, complaints))
        page.goto(urljoin(f"{stack.page_url}/", address))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def _note(kind: str, text: str, complaints: list[str]) -> None:
    """A refusal by the API is shown on the page and no complaint; a broken policy is one."""
    if kind == "error" and not text.startswith("Failed to load resource"):
        complaints.append(text)


@pytest.fixture
def check_access() -> Callable[[Page], None]:
    """Hold what the page shows now to axe-core's rules (WCAG 2.2 A and AA, and its own)."""

    def checked(page: Page) -> None:
        page.evaluate(AXE.read_text("utf-8"))
        violations = page.evaluate("axe.run().then((found) => found.violations)")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []

    return checked


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The demo page in a window of usual width."""
    return open_page()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of the page under test-results/browser/<test>/."""
    folder = PICTURES / request.node.name
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[str] = []

    def take(page: Page, name: str) -> None:
        taken.append(name)
        page.screenshot(path=folder / f"{len(taken):02}-{name}.png", animations="disabled")

    return take
