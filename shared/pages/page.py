"""How a page is made: a template, the words of one language, headers that keep others out."""

import functools
import re
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.pages.visit import Answer, Headers

_ROOM = Path(__file__).parent

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SAFETY = (
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
)
_FOR_NOBODY_ELSE = (("Cache-Control", "no-store"), ("Vary", "Accept-Language, Cookie"))

_BACKTICKED = re.compile("`([^`]+)`")

_ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A problem in one language: what happened, what to do and who, what to copy."""

    title: str
    detail: str
    action: str
    who: str = ""
    commands: tuple[str, ...] = ()
    link: str | None = None


def page(
    template: str,
    *,
    language: str,
    product: str,
    status: int = 200,
    headers: Headers = (),
    **values: object,
) -> Answer:
    """Return the page *template* in *language* ("nb" or "en"); *values* are escaped."""

    def words(section: str, name: str, **fill: str) -> Markup:
        return Markup(say(language, section, name)).format(**fill)  # noqa: S704 - our own words

    body = (
        _templates()
        .get_template(f"{template}.html")
        .render(language=language, product=product, say=words, asset=asset_address, **values)
    )
    own = (("Content-Type", "text/html; charset=utf-8"), ("Content-Language", language))
    return Answer(status, (*own, *_SAFETY, *_FOR_NOBODY_ELSE, *headers), body.encode())


def say(language: str, section: str, name: str) -> str:
    """Return words of the pages as they are, unfilled."""
    text: str = _words()[language][section][name]
    return text


def redirect(location: str, headers: Headers = ()) -> Answer:
    """Return a redirect that leaks no referrer and is kept nowhere."""
    return Answer(302, (("Location", location), *_SAFETY, *_FOR_NOBODY_ELSE, *headers))


def explanation(code: str, *, language: str, **fill: str) -> Explanation | None:
    """Return the pages' own words for *code*, or None when they have none."""
    words: dict[str, str] | None = _words()[language]["problem"].get(code)
    if words is None:
        return None
    return Explanation(
        title=words["title"].format(**fill),
        detail=words["detail"].format(**fill),
        action=words["action"].format(**fill),
    )


def asset(name: str) -> Answer | None:
    """Return a stylesheet, script or picture, or None; browsers keep it, its address changes."""
    if name not in _ASSETS:
        return None
    kept = ("Cache-Control", "public, max-age=31536000, immutable")
    return Answer(200, (("Content-Type", _ASSETS[name]), *_SAFETY, kept), _content(name))


def asset_address(name: str) -> str:
    """Return the asset's address as a page links to it, with its fingerprint."""
    return f"/api/oauth/assets/{name}?v={sha256(_content(name)).hexdigest()[:12]}"


@functools.cache
def _content(name: str) -> bytes:
    return (_ROOM / "assets" / name).read_bytes()


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads((_ROOM / "words.toml").read_text("utf-8"))


@functools.cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_ROOM / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["code"] = _with_code
    return made


def _with_code(text: str) -> Markup:
    """Show what stands in backticks as code; all of it is escaped first."""
    shown = _BACKTICKED.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(shown)  # noqa: S704 - escaped above
