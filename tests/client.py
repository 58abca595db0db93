"""A caller of the API and its browser, as small as can be: http.client and one cookie."""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from local.standins import Stack

FRONTEND = "http://localhost:5173"
TIMEOUT = 90


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass(slots=True)
class Api:
    """Calls the product at *url* with the bearer tokens that *mint* gives."""

    url: str
    standins: Stack
    mint: Callable[..., str]
    customer: str = "firma"
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def of(self, customer: str) -> "Api":
        """The same API called by another customer."""
        return Api(self.url, self.standins, self.mint, customer)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: object, **headers: str) -> Answer:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Call ``/api`` + *path*; header names are given with underscores, ``prefer="wait=5"``."""
        token = self.token if self.token is not None else self.mint(self.customer)
        sent = {"Authorization": f"Bearer {token}", "Accept-Language": "en"} | self.headers
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        return request(method, f"{self.url}/api{path}", content, sent)

    def add_account(self, username: str = "kari@firma.no", **members: object) -> dict[str, Any]:
        """A new account, not connected yet."""
        answer = self.post("/accounts", {"type": "office365", "username": username, **members})
        assert answer.status == 201, answer.text
        account: dict[str, Any] = answer.json
        return account

    def connect(self, account: Mapping[str, Any], as_: str | None = None) -> Answer:
        """Open the connect link in a browser that comes from the frontend, and sign in."""
        headers = {"Referer": f"{FRONTEND}/", "Accept-Language": "en"}
        start = request("GET", account["connect_url"], None, headers)
        assert start.status == 302, f"{start.status} {start.text[:500]}"
        back = self.standins.entra.sign_in(start.headers["location"], as_ or account["username"])
        cookie = "; ".join(each.partition(";")[0] for each in start.cookies)
        return request("GET", back, None, headers | {"Cookie": cookie})

    def add_connected_account(
        self, username: str = "kari@firma.no", **members: object
    ) -> dict[str, Any]:
        """A new account, connected by its owner."""
        account = self.add_account(username, **members)
        page = self.connect(account)
        assert page.status == 200, f"{page.status} {page.text[:2000]}"
        found: dict[str, Any] = self.get(f"/accounts/{account['id']}").json
        assert found["status"] == "connected", found
        return found


def request(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own; redirects are not followed."""
    parts = urlsplit(url)
    target = parts._replace(scheme="", netloc="").geturl() or "/"
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=TIMEOUT)
    try:
        connection.request(method, target, body, {"Host": parts.netloc} | dict(headers or {}))
        response = connection.getresponse()
        found = response.getheaders()
        content = response.read()
    finally:
        connection.close()
    cookies = tuple(value for name, value in found if name.lower() == "set-cookie")
    named = {name.lower(): value for name, value in found}
    if "location" in named:
        named["location"] = urljoin(url, named["location"])
    return Answer(response.status, named, content, cookies)
