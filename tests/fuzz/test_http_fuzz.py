"""Whatever stranger or caller sends over HTTP, the host answers for itself and keeps nothing."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Answer, Api, request

EXAMPLES = 120
ID = "0" * 26

_fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

_NAMES = st.sampled_from(
    ["type", "username", "address", "display_name", "as", "id", "status", "", "a/b~c", "__proto__"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["office365", "a@b", '"a b"@x.no', "a@x.no\r\nBcc: b@x.no", "a@[::1]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
_BODIES = st.dictionaries(_NAMES, _VALUES, max_size=5) | _VALUES

# What a header may hold at all (RFC 9110 section 5.5); the rest never reaches a program.
_HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=120)
_QUERY = st.dictionaries(
    st.sampled_from(["ticket", "confirm", "code", "state", "error", "link", "admin_consent", "x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    max_size=4,
)
_SEALED = st.sampled_from(
    ["", "a.b", f"{'0' * 32}.{'A' * 60}", "." * 100, f"{'a' * 64}.{'_' * 38}"]
)


def test_no_body_makes_an_account_by_accident_or_breaks_anything(api: Api) -> None:
    token = api.mint(api.customer)
    account = api.add_account()["id"]
    ways = st.sampled_from(
        [
            ("POST", "/accounts"),
            ("PATCH", f"/accounts/{account}"),
            ("POST", f"/accounts/{account}/connect"),
            ("POST", f"/accounts/{account}/messages/{ID}/resolve"),
        ]
    )

    @_fuzz
    @given(way=ways, body=_BODIES)
    def fuzz(way: tuple[str, str], body: object) -> None:
        answer = _json(api, *way, body, token)

        assert answer.status < 500, answer.text
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            _check_pointers(answer.json, body)
        else:
            assert _is_asked_for(way, body)

    fuzz()


def _json(api: Api, method: str, path: str, body: object, token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return request(method, f"{api.url}/api{path}", json.dumps(body).encode(), headers)


def _check_pointers(problem: dict[str, Any], body: object) -> None:
    """Every fault points to a member of the body, or to one that is missing from it."""
    for fault in problem.get("errors", ()):
        assert re.fullmatch(r"(/.*)?", fault["pointer"])
        assert fault["detail"]
        if "is not a known member" in fault["detail"]:
            name = fault["pointer"][1:].replace("~1", "/").replace("~0", "~")
            assert isinstance(body, dict)
            assert name in body


def _is_asked_for(way: tuple[str, str], body: object) -> bool:
    """Whether a request that was taken says no more than the contract knows."""
    if not isinstance(body, dict):
        return False
    known = {"type", "username", "address", "display_name"}
    return set(body) <= (known if way[0] in ("POST", "PATCH") else set())


def _everything(api: Api) -> Callable[[], tuple[int, ...]]:
    """How much lies in the vault, in Entra's memory and in the outbox."""
    standins = api.standins

    def counted() -> tuple[int, ...]:
        issued = sum(map(len, standins.entra.issued().values()))
        return len(standins.key_vault.names()), issued, len(standins.exchange.delivered)

    return counted


def test_no_query_cookie_or_language_breaks_a_page_or_leaves_a_trace(api: Api) -> None:
    account = api.add_account()
    counted = _everything(api)
    before = counted()

    @_fuzz
    @given(
        place=st.sampled_from(["start", "callback", "admin", "assets/x"]),
        method=st.sampled_from(["GET", "POST"]),
        query=_QUERY,
        sealed=_SEALED,
        cookie=_HEADER,
        language=_HEADER,
        referer=_HEADER,
    )
    def fuzz(
        place: str,
        method: str,
        query: dict[str, str],
        sealed: str,
        cookie: str,
        language: str,
        referer: str,
    ) -> None:
        given_ = {**query, "ticket": sealed, "link": sealed} if sealed else query
        headers = {
            "Cookie": f"__Host-start={cookie}; __Host-connect-{cookie[:8]}={sealed}",
            "Accept-Language": language,
            "Referer": referer,
        }
        url = f"{api.url}/api/oauth/{place}?{urlencode(given_)}"

        answer = request(method, url, None, headers)

        assert answer.status in {400, 404, 405}, answer.text
        assert "location" not in answer.headers
        assert answer.cookies == ()
        assert "Traceback" not in answer.text

    fuzz()

    assert counted() == before
    assert api.get(f"/accounts/{account['id']}").json["status"] == "pending"


def test_no_header_of_a_caller_breaks_anything(api: Api) -> None:
    account = api.add_account()["id"]
    token = api.mint(api.customer)

    @_fuzz
    @given(
        authorization=_HEADER | st.just(f"Bearer {token}"),
        prefer=_HEADER | st.integers(-(10**12), 10**12).map(lambda number: f"wait={number}"),
        key=_HEADER,
        language=_HEADER,
    )
    def fuzz(authorization: str, prefer: str, key: str, language: str) -> None:
        headers = {
            "Authorization": authorization,
            "Prefer": prefer,
            "Idempotency-Key": key,
            "Accept-Language": language,
            "Content-Type": "application/json",
        }
        url = f"{api.url}/api/accounts/{account}/messages"

        answer = request("POST", url, b'{"to": []}', headers)

        assert answer.status in {401, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"

    fuzz()

    assert api.get(f"/accounts/{account}/messages").json["items"] == []


def test_no_address_of_a_collection_breaks_anything(api: Api) -> None:
    token = api.mint(api.customer)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

    @_fuzz
    @given(limit=text, cursor=text, account=text, message=text)
    def fuzz(limit: str, cursor: str, account: str, message: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        paths = (
            f"/accounts?limit={quote(limit)}&cursor={quote(cursor)}",
            f"/accounts/{quote(account, safe='')}",
            f"/accounts/{ID}/messages/{quote(message, safe='')}?limit={quote(limit)}",
            f"/problems/{quote(account, safe='')}",
        )
        for path in paths:
            answer = request("GET", f"{api.url}/api{path}", None, headers)
            assert answer.status < 500, (path, answer.text)

    fuzz()
