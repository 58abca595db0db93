"""A browser without a window: follows redirects, keeps cookies, fills in forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urljoin

import requests

TIMEOUT = 30


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and its fields as they stand."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
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
            if not value and kind != "hidden":
                form.empty.append(name)


class UserAgent:
    """One person's browser, which trusts the authorities in the file *ca*."""

    def __init__(self, ca: Path) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(ca)
        self._session.headers["Accept-Language"] = "nb"
        # Browsers hold localhost for safe and send it Secure cookies without TLS.
        policy = DefaultCookiePolicy(secure_protocols=("https", "http"))
        self._session.cookies.set_policy(policy)
        self.visited: list[str] = []

    def visit(self, url: str, *, referrer: str | None = None) -> requests.Response:
        """Go to *url*; *referrer* is the page with the link."""
        headers = {"Referer": referrer} if referrer else {}
        return self._seen(self._session.get(url, headers=headers, timeout=TIMEOUT))

    def submit(
        self, page: requests.Response, values: dict[str, str], button: tuple[str, str] | None
    ) -> requests.Response:
        """Fill in the first form of *page* and press *button*."""
        form = forms(page)[0]
        fields = form.values | values | (dict([button]) if button else {})
        target = urljoin(page.url, form.action)
        if form.method == "post":
            answer = self._session.post(
                target, data=fields, headers={"Referer": page.url}, timeout=TIMEOUT
            )
        else:
            answer = self._session.get(target, params=fields, timeout=TIMEOUT)
        return self._seen(answer)

    def _seen(self, answer: requests.Response) -> requests.Response:
        self.visited += [step.url for step in [*answer.history, answer]]
        return answer

    def close(self) -> None:
        self._session.close()


def forms(page: requests.Response) -> list[Form]:
    """The forms of *page*."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms
