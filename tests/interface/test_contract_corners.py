"""Corners of the interface where two readings are possible: which one holds is said here."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.client import Answer, Api, request

LETTER = {"to": ["ola@kunde.no"], "subject": "Hei", "text": "Hei"}


@pytest.fixture
def path(api: Api) -> str:
    """The path of a connected account."""
    return f"/accounts/{api.add_connected_account()['id']}"


def code(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status, answer.json["code"]


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=10", "wait=10"),
        ("WAIT = 10", "wait=10"),
        ('wait="10"', "wait=10"),
        ("respond-async, wait=10", "wait=10"),
        ('foo="bar"; baz, wait=10', "wait=10"),
        ("wait=61", "wait=60"),
        ("wait=0", "wait=0"),
        ("wait=-1", None),
        ("wait=soon", None),
        ("await=10", None),
        ("return=minimal", None),
    ],
)
def test_a_preference_is_applied_as_far_as_it_can_be_and_said(
    api: Api, path: str, prefer: str, applied: str | None
) -> None:
    answer = api.post(f"{path}/messages", LETTER, prefer=prefer)

    assert answer.headers.get("preference-applied") == applied
    assert answer.status == (200 if answer.json["status"] == "sent" else 202)
    assert (answer.json["status"] == "sent") is (applied not in (None, "wait=0"))


def test_locations_are_absolute_lead_there_and_are_the_same_for_a_replay(
    api: Api, path: str
) -> None:
    sent = api.post(f"{path}/messages", LETTER, idempotency_key="a")
    again = api.post(f"{path}/messages", LETTER, idempotency_key="a")
    made = api.post("/accounts", {"type": "office365", "username": "ola@firma.no"})

    for answer in (sent, again, made):
        target = answer.headers["location"]
        found = request("GET", target, None, {"Authorization": f"Bearer {api.mint(api.customer)}"})
        assert target.startswith("http://localhost:")
        assert found.json["id"] == answer.json["id"]
    assert again.headers["location"] == sent.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in sent.headers


@pytest.mark.parametrize(
    ("key", "status"), [("k", 202), ("k" * 256, 202), ("k" * 257, 422), ("", 422), ("a b~!", 202)]
)
def test_a_key_has_1_to_256_characters(api: Api, path: str, key: str, status: int) -> None:
    assert api.post(f"{path}/messages", LETTER, idempotency_key=key).status == status


def test_one_key_means_one_message_for_each_account_and_one_body(api: Api, path: str) -> None:
    other = f"/accounts/{api.add_account('ola@firma.no')['id']}"
    first = api.post(f"{path}/messages", LETTER, idempotency_key="k").json
    elsewhere = api.post(f"{other}/messages", LETTER, idempotency_key="k")

    changed = api.post(f"{path}/messages", {**LETTER, "text": "!"}, idempotency_key="k")

    assert (elsewhere.status, elsewhere.json["id"] != first["id"]) == (202, True)
    assert code(changed) == (409, "idempotency-key-reused")
    assert [one["id"] for one in api.get(f"{path}/messages").json["items"]] == [first["id"]]


def test_pages_of_a_collection_hold_everything_once_and_in_order(api: Api, path: str) -> None:
    sent = [api.post(f"{path}/messages", LETTER).json["id"] for _ in range(7)]
    found: list[str] = []
    query = "?limit=3"
    while query:
        page = api.get(f"{path}/messages{query}").json
        assert set(page) == {"items", "next"}
        found += [one["id"] for one in page["items"]]
        query = f"?limit=3&cursor={page['next']}" if page["next"] else ""

    assert found == sent[::-1]
    assert all(later > earlier for earlier, later in pairwise(sent)), "ids sort by time"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=1.5", "cursor=x", "x=1"])
def test_a_query_that_is_wrong_is_refused_by_name(api: Api, path: str, query: str) -> None:
    for collection in ("/accounts", f"{path}/messages"):
        answer = api.get(f"{collection}?{query}")

        assert code(answer) == (422, "invalid-query")
        assert [one["pointer"] for one in answer.json["errors"]] == [query.partition("=")[0]]


def test_times_are_rfc_3339_in_utc_whatever_zone_was_asked_in(api: Api, path: str) -> None:
    moment = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    oslo = moment.astimezone(tz=None).isoformat()

    sent = api.post(f"{path}/messages", {**LETTER, "send_at": oslo}).json

    assert sent["send_at"] == moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert sent["created_at"].endswith("Z")
    assert datetime.fromisoformat(sent["created_at"]).tzinfo is UTC


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("application/json", b"{", (400, "malformed-json")),
        ("application/json", b'{"to": ["a@x.no"], "to": []}', (400, "malformed-json")),
        ("application/json", b"\xff", (400, "malformed-json")),
        ("application/json", b"[]", (422, "invalid-message")),
        ("APPLICATION/JSON; charset=utf-8", b"{}", (422, "invalid-message")),
        ("text/plain", b"hei", (415, "unsupported-media-type")),
        ("", b"{}", (415, "unsupported-media-type")),
        ("message/rfc822", b"", (422, "invalid-message")),
        ("multipart/form-data; boundary=x", b"--x--", (415, "unsupported-media-type")),
    ],
)
def test_each_kind_of_wrong_body_has_its_own_status(
    api: Api, path: str, media: str, body: bytes, expected: tuple[int, str]
) -> None:
    headers = {"Authorization": f"Bearer {api.mint(api.customer)}"}
    if media:
        headers["Content-Type"] = media

    answer = request("POST", f"{api.url}/api{path}/messages", body, headers)

    assert code(answer) == expected


@pytest.mark.parametrize("media", ["application/json", "application/merge-patch+json"])
def test_a_change_is_a_merge_patch_by_either_name(api: Api, path: str, media: str) -> None:
    before = api.get(path).json

    after = api.patch(path, {"display_name": "Firma AS"}, content_type=media)

    assert (after.status, after.json) == (200, {**before, "display_name": "Firma AS"})


def test_what_is_no_merge_patch_is_told_what_would_be(api: Api, path: str) -> None:
    operations = [{"op": "remove", "path": "/display_name"}]

    patch = api.patch(path, operations, content_type="application/json-patch+json")
    post = api.post("/accounts", {}, content_type="application/merge-patch+json")

    assert code(patch) == code(post) == (415, "unsupported-media-type")
    assert patch.headers["accept-patch"] == "application/json, application/merge-patch+json"
    assert "accept-patch" not in post.headers


def test_a_body_too_large_is_413_for_accounts_and_messages(api: Api, path: str) -> None:
    large = {**LETTER, "text": "x" * 37 * 1024 * 1024}

    assert code(api.post("/accounts", {"type": "x" * 70_000})) == (413, "body-too-large")
    assert code(api.post(f"{path}/messages", large))[0] == 413


@pytest.mark.parametrize(
    ("method", "path_", "allowed"),
    [
        ("PUT", "/accounts", "GET, POST"),
        ("POST", "/accounts/x", "GET, PATCH, DELETE"),
        ("GET", "/accounts/x/connect", "POST"),
        ("DELETE", "/accounts/x/messages/y", "GET"),
        ("GET", "/accounts/x/messages/y/cancel", "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/oauth/start", "GET"),
    ],
)
def test_another_method_is_405_with_those_that_work(
    api: Api, method: str, path_: str, allowed: str
) -> None:
    answer = api.call(method, path_, {})

    assert code(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("en", "There is no such account"),
        ("en-GB,en;q=0.9", "There is no such account"),
        ("nb", "Kontoen finnes ikke"),
        ("nn-NO", "Kontoen finnes ikke"),
        ("de, en;q=0.5, nb;q=0.4", "There is no such account"),
        ("de", "Kontoen finnes ikke"),
        ("", "Kontoen finnes ikke"),
    ],
)
def test_a_problem_speaks_the_language_that_was_asked_for(
    api: Api, asked: str, title: str
) -> None:
    answer = api.get("/accounts/none", accept_language=asked)

    assert answer.json["title"] == title
    assert answer.headers["content-language"] == ("en" if "There is" in title else "nb")
    assert "accept-language" in answer.headers["vary"].lower()


def test_challenges_are_those_of_rfc_6750(api: Api) -> None:
    none = request("GET", f"{api.url}/api/accounts")
    api.token = "a.b.c"
    invalid = api.get("/accounts")
    api.token = api.mint(api.customer, scopes="mail.send")
    lacking = api.get("/accounts")

    assert (none.status, none.headers["www-authenticate"]) == (401, 'Bearer realm="mail"')
    assert invalid.status == 401
    assert invalid.headers["www-authenticate"].endswith('error="invalid_token"')
    assert lacking.status == 403
    assert lacking.headers["www-authenticate"].endswith(
        'error="insufficient_scope", scope="mail.accounts"'
    )


def test_what_is_down_behind_us_is_503_and_says_when_to_come_again(api: Api, path: str) -> None:
    api.standins.key_vault.down()

    answer = api.post(f"{path}/verify")

    assert code(answer) == (503, "vault-unavailable")
    assert answer.json["who"] == "operator"
    assert int(answer.headers["retry-after"]) > 0


def test_an_answer_to_a_caller_is_kept_by_nobody(api: Api, path: str) -> None:
    for answer in (
        api.get("/accounts"),
        api.get(path),
        api.post(f"{path}/connect"),
        api.post(f"{path}/messages", LETTER),
        api.get("/accounts/none"),
    ):
        assert answer.headers["cache-control"] == "no-store"
