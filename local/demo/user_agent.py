"""A browser without a window: follows redirects, keeps cookies, fills in forms."""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import (
    HTTPCookieProcessor,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown: where the redirects ended, and what was answered there."""

    url: str
    status: int
    text: str

    def forms(self) -> list["Form"]:
        """The forms of the page."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and its fields as they stand."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag in ("input", "button") and given.get("name"):
            self._add(tag, given)

    def _add(self, tag: str, given: dict[str, str]) -> None:
        form, name, value = self.forms[-1], given["name"], given.get("value", "")
        kind = given.get("type", "submit" if tag == "button" else "text")
        if kind == "submit":
            form.buttons.append((name, value))
        elif kind not in ("checkbox", "radio") or "checked" in given:
            form.values[name] = value


class UserAgent:
    """One person's browser, which trusts the authorities in the file *ca*."""

    def __init__(self, ca: Path) -> None:
        # Browsers hold localhost for safe and send it Secure cookies without TLS.
        policy = DefaultCookiePolicy(secure_protocols=("https", "http"))
        self._opener = build_opener(
            ProxyHandler({}),
            HTTPSHandler(context=ssl.create_default_context(cafile=str(ca))),
            HTTPCookieProcessor(CookieJar(policy)),
        )

    def visit(self, url: str, *, referrer: str = "") -> Page:
        """Go to *url*; *referrer* is the page with the link."""
        return self._open(Request(url, headers={"Referer": referrer} if referrer else {}))

    def submit(
        self, page: Page, values: dict[str, str], button: tuple[str, str] | None = None
    ) -> Page:
        """Fill in the first form of *page* and press *button*."""
        form = page.forms()[0]
        fields = urlencode(form.values | values | (dict([button]) if button else {}))
        target = urljoin(page.url, form.action)
        if form.method == "post":
            return self._open(Request(target, fields.encode(), {"Referer": page.url}))
        return self.visit(f"{target}?{fields}", referrer=page.url)

    def _open(self, request: Request) -> Page:
        request.add_header("Accept-Language", "nb")
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return Page(answer.url, answer.status, answer.read().decode())
        except HTTPError as refused:
            with refused:
                return Page(refused.url or request.full_url, refused.code, refused.read().decode())
