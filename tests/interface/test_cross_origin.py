"""Pages of other origins: the frontend's may call, anybody else's learns nothing (Fetch, CORS)."""

import pytest

from tests.client import FRONTEND, Answer, Api, request
from tests.interface.operations import Operation, operations

OF_BROWSERS = ("/oauth/",)
FOREIGN = (
    "https://evil.example",
    "null",
    f"{FRONTEND}.evil.example",
    f"{FRONTEND}0",
    FRONTEND.replace("http:", "https:"),
    f"{FRONTEND}/",
    f"https://evil.example/{FRONTEND}",
    "*",
    "http://localhost",
)
CALLS = [one for one in operations() if not one.path.startswith(OF_BROWSERS)]
PAGES = [one for one in operations() if one.path.startswith(OF_BROWSERS)]
ASKED = "authorization,content-type,idempotency-key,prefer,accept-language"


def url(api: Api, operation: Operation) -> str:
    ids = {"account_id": "0" * 26, "message_id": "0" * 26, "code": "not-found"}
    return f"{api.url}/api{operation.path.format(**ids)}"


def permissions(answer: Answer) -> dict[str, str]:
    """Every header that would let a page of another origin do anything."""
    return {name: v for name, v in answer.headers.items() if name.startswith("access-control-")}


def preflight(api: Api, operation: Operation, origin: str) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": operation.method,
        "Access-Control-Request-Headers": ASKED,
    }
    return request("OPTIONS", url(api, operation), None, headers)


@pytest.mark.parametrize("operation", CALLS, ids=str)
def test_the_frontend_may_make_every_call(api: Api, operation: Operation) -> None:
    answer = preflight(api, operation, FRONTEND)

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == FRONTEND
    assert operation.method in answer.headers["access-control-allow-methods"].split(", ")
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert set(ASKED.split(",")) <= set(allowed)
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("operation", [*CALLS, *PAGES], ids=str)
def test_no_other_origin_gets_a_preflight_through(api: Api, operation: Operation) -> None:
    for origin in FOREIGN:
        assert permissions(preflight(api, operation, origin)) == {}, origin


@pytest.mark.parametrize("operation", CALLS, ids=str)
def test_the_frontend_may_read_every_answer_and_no_other_origin_may(
    api: Api, operation: Operation
) -> None:
    """Refusals too: a frontend that cannot read a 401 cannot say what is wrong."""
    ours = request(operation.method, url(api, operation), None, {"Origin": FRONTEND})
    exposed = ours.headers["access-control-expose-headers"]

    assert ours.headers["access-control-allow-origin"] == FRONTEND
    assert {"Location", "Retry-After", "Idempotency-Replayed"} <= set(exposed.split(", "))
    for origin in (*FOREIGN, None):
        headers = {"Origin": origin} if origin else {}
        answer = request(operation.method, url(api, operation), None, headers)
        assert permissions(answer) == {}, origin
        assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize("operation", PAGES, ids=str)
def test_no_script_of_any_origin_reads_the_pages_of_connecting(
    api: Api, operation: Operation
) -> None:
    for origin in (FRONTEND, *FOREIGN):
        answer = request(operation.method, url(api, operation), None, {"Origin": origin})

        assert permissions(answer) == {}, origin


def test_what_is_not_there_may_be_read_by_the_frontend_too(api: Api) -> None:
    missing = request("GET", f"{api.url}/api/nothing/here", None, {"Origin": FRONTEND})
    method = request("PUT", f"{api.url}/api/accounts", b"{}", {"Origin": FRONTEND})

    assert (missing.status, method.status) == (404, 405)
    for answer in (missing, method):
        assert answer.headers["access-control-allow-origin"] == FRONTEND
