"""A visit: what a browser asked, undecoded, and what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from shared.language import preferred_language

_LONGEST_QUERY = 16_384  # characters; an authorization code can be some thousand

type Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser gets: status, headers (a name may come twice) and body."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request as the browser made it: the query, and the headers that matter here."""

    query: str = ""
    cookie: str = ""
    referer: str = ""
    accept_language: str | None = None

    def parameters(self) -> Mapping[str, str]:
        """Return the query's parameters; none when one comes twice (RFC 6749 section 3.1)."""
        if len(self.query) > _LONGEST_QUERY:
            return {}
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=50)
        except ValueError:
            return {}
        found = dict(pairs)
        return found if len(found) == len(pairs) else {}

    def cookies(self) -> Mapping[str, str]:
        """Return the cookies (RFC 6265 section 5.4); of two with one name the first counts."""
        found: dict[str, str] = {}
        for pair in self.cookie.split(";"):
            name, separator, value = pair.strip().partition("=")
            if separator:
                found.setdefault(name, value)
        return found

    def language(self) -> str:
        """Return the language to answer in, "nb" or "en"."""
        return preferred_language(self.accept_language)
