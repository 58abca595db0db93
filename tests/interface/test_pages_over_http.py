"""The pages as the host serves them: their headers on the wire, and what a reader gets to see."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from shared.guidance import every_code
from tests.client import Answer, Api, request

AXE = Path("local/axe/node_modules/axe-core/axe.min.js")
SHOTS = Path("test-results/pages")
FOREIGN = re.compile(r'(?:src|href|action)="(?:https?:)?//(?!localhost|127\.0\.0\.1)')
INLINE = re.compile(
    r'<style|<script(?![^>]* src="/api/oauth/assets/)|\son[a-z]+=|\sstyle=|javascript:'
)


def pages_of(api: Api) -> Iterator[tuple[str, Answer]]:
    """Every page that can be had without signing in at Microsoft, and what it answers."""
    account = api.add_account()
    base = f"{api.url}/api"
    api.standins.exchange.allow_smtp_auth(account["username"], allowed=False)
    yield "question", request("GET", account["connect_url"])
    yield "connected", api.connect(account)
    link = api.get(f"/accounts/{account['id']}").json["problem"]["admin_url"]
    yield "used link", request("GET", account["connect_url"])
    yield "admin", request("GET", link)
    yield "checked again", request("POST", link)
    for path in ("start", "callback", "admin", "assets/none", "callback?code=x&state=y"):
        yield path, request("GET", f"{base}/oauth/{path}")
    yield "docs", request("GET", f"{base}/docs")
    yield "problem", request("GET", f"{base}/problems/invalid-message")
    yield "no such problem", request("GET", f"{base}/problems/none")


def test_every_page_is_locked_up_on_the_wire(api: Api) -> None:
    for name, answer in pages_of(api):
        headers = answer.headers
        policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))

        assert headers["content-type"] == "text/html; charset=utf-8", name
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'", name
        assert set(policy.values()) <= {"'none'", "'self'"}, name
        assert headers["cache-control"] == "no-store", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["x-frame-options"] == "DENY", name
        assert not INLINE.search(answer.text), name
        assert not FOREIGN.search(re.sub(r'<a [^>]*href="[^"]*"', "<a", answer.text)), name


def test_redirects_to_microsoft_are_kept_by_nobody_and_leak_no_referrer(api: Api) -> None:
    account = api.add_account()

    answer = request("GET", account["connect_url"], None, {"Referer": "http://localhost:5173/"})

    assert answer.status == 302
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    for cookie in answer.cookies:
        attributes = cookie.lower().split("; ")
        assert cookie.startswith("__Host-")
        assert {"path=/", "secure", "httponly", "samesite=lax"} <= set(attributes)
        assert not any(one.startswith("domain") for one in attributes)


@pytest.mark.parametrize("language", ["nb", "en"])
def test_the_type_of_every_problem_leads_to_a_page(api: Api, language: str) -> None:
    for code in every_code():
        url = f"{api.url}/api/problems/{code}"

        page = request("GET", url, None, {"Accept-Language": language})

        assert page.status == 200, code
        assert f'<html lang="{language}">' in page.text
        assert page.headers["content-language"] == language
        assert code in page.text


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(locale="nb-NO", viewport={"width": 1000, "height": 800})
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.mark.parametrize("path", ["docs", "problems/smtp-auth-disabled-tenant"])
def test_what_is_for_readers_shuts_nobody_out(
    api: Api, context: BrowserContext, path: str
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = context.new_page()
    page.goto(f"{api.url}/api/{path}")
    name = path.rpartition("/")[2]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("axe.run().then(found => found.violations)")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        page.screenshot(path=SHOTS / f"{name}-{scheme}.png")
    page.set_viewport_size({"width": 360, "height": 800})
    page.screenshot(path=SHOTS / f"{name}-phone-dark.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
