"""A browser, a store and a submission server, small enough to see what happened to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from shared.accounts.account import REQUESTED_SCOPE, Account, AccountStatus, Identity, Obstacle
from shared.connecting.browser import Browser
from shared.microsoft.submission import SubmissionError
from shared.pages.visit import Answer, Visit
from shared.secrecy import Secret

PUBLIC_URL = "http://127.0.0.1:7071"
FRONTEND = "http://127.0.0.1:8080"
KARI = "kari@firma.no"


def account(**changes: object) -> Account:
    """Kari's account, as it is just made."""
    made = Account(
        id="01jdabcdefghjkmnpqrstvwxyz",
        customer="firma-17",
        username=KARI,
        address=KARI,
        display_name="Firma AS",
        status=AccountStatus.PENDING,
        scope=REQUESTED_SCOPE,
        generation="g1",
        created_at=datetime.now(UTC),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asker:
    """Who pressed OK in the product."""

    customer: str = "firma-17"
    user: str | None = "Kari Nordmann"


class Mailboxes:
    """The store's side of connecting, in memory."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.redeemed: set[str] = set()

    def add(self, made: Account) -> Account:
        self.accounts[made.id] = made
        return made

    def get(self, account: str) -> Account | None:
        return self.accounts.get(account)

    def connected(
        self,
        account: str,
        *,
        identity: Identity,
        scope: tuple[str, ...],
        generation: str,
        now: datetime,
    ) -> Account | None:
        found = self.accounts.get(account)
        if found is None or found.generation != generation:
            return None
        return self.add(
            replace(
                found,
                status=AccountStatus.CONNECTED,
                obstacle=None,
                identity=identity,
                scope=scope,
                generation=f"{generation}+",
                connected_at=now,
            )
        )

    def redeem_flow(self, account: str, digest: str, now: datetime) -> bool:
        assert now.tzinfo
        new = f"{account}:{digest}" not in self.redeemed
        self.redeemed.add(f"{account}:{digest}")
        return new

    def set_obstacle(
        self, account: str, obstacle: Obstacle | None, *, generation: str, now: datetime
    ) -> Account | None:
        assert now.tzinfo
        found = self.accounts.get(account)
        if found is None or found.generation != generation:
            return None
        status = AccountStatus.ACTION_REQUIRED if obstacle else AccountStatus.CONNECTED
        return self.add(replace(found, obstacle=obstacle, status=status))

    def note_refusal(
        self, account: str, obstacle: Obstacle | None, *, generation: str
    ) -> Account | None:
        found = self.accounts.get(account)
        if (
            not found
            or found.generation != generation
            or found.status is not AccountStatus.PENDING
        ):
            return None
        return self.add(replace(found, obstacle=obstacle))


class Session:
    """A session that takes any sender."""

    def try_sender(self, mail_from: str) -> None:
        pass

    def close(self) -> None:
        pass


class Submission:
    """A submission server that lets in, or answers what it was told to."""

    def __init__(self) -> None:
        self.refusal: SubmissionError | None = None
        self.users: list[str] = []

    def open(
        self, user: str, access_token: Callable[[], Secret], *, deadline: float | None = None
    ) -> Session:
        assert access_token().reveal()
        assert deadline
        self.users.append(user)
        if self.refusal:
            raise self.refusal
        return Session()


class Page(HTMLParser):
    """What is on a page: words, links, forms, attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def buttons(self) -> list[str]:
        """Where the links that look like buttons lead."""
        links = [found for tag, found in self.tags if tag == "a"]
        return [found["href"] or "" for found in links if found.get("class") == "button"]


class Person:
    """Someone's browser: keeps cookies, follows what it is told, sends no referrer by itself."""

    def __init__(self, browser: Browser, language: str = "nb") -> None:
        self.browser = browser
        self.language = language
        self.cookies: dict[str, str] = {}
        self.later = timedelta(0)

    def visit(self, url: str, *, referer: str = "", post: bool = False) -> Answer:
        parts = urlsplit(urljoin(f"{PUBLIC_URL}/api/oauth/start", url))
        visit = Visit(
            query=parts.query,
            cookie="; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            referer=referer,
            accept_language=self.language,
        )
        now = datetime.now(UTC) + self.later
        match parts.path.removeprefix("/api/oauth/"):
            case "start":
                answer = self.browser.start(visit, now)
            case "callback":
                answer = self.browser.callback(visit, now)
            case "admin":
                answer = self.browser.admin(visit, now, check=post)
            case path:
                answer = self.browser.asset(path.removeprefix("assets/"), visit)
        for name, value in answer.headers:
            if name == "Set-Cookie":
                self.keep(value)
        return answer

    def keep(self, header: str) -> None:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        assert name.startswith("__Host-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
        self.cookies.pop(name, None)
        if "Max-Age=0" not in attributes:
            self.cookies[name] = value

    def depart(self, connect_url: str, *, referer: str = "") -> str:
        """Open the link and press the button if there is one; Microsoft's address."""
        answer = self.visit(connect_url, referer=referer)
        if answer.status == 200:
            [button] = page(answer).buttons()
            answer = self.visit(button)
        assert answer.status == 302, text(answer)
        return header(answer, "Location")


def header(answer: Answer, name: str) -> str:
    """The one header called *name*."""
    [value] = [value for known, value in answer.headers if known == name]
    return value


def text(answer: Answer) -> str:
    """The body as it came."""
    return answer.body.decode()


def page(answer: Answer) -> Page:
    """The body as a page."""
    return Page(text(answer))
