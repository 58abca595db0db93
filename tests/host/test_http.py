"""What HTTP functions get and give."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
import requests

from local.host.process import HostProcess
from tests.host.sampling import eventually

LIMIT = 104_857_600


def get(host: HostProcess, path: str, method: str = "GET") -> requests.Response:
    return requests.request(method, f"{host.url}{path}", timeout=30, allow_redirects=False)


@pytest.mark.parametrize(
    ("path", "function", "params"),
    [
        ("/api/unrouted", "unrouted", {}),
        ("/api/things/special", "special_thing", {}),
        ("/API/Things/SPECIAL", "special_thing", {}),
        ("/api/things/17", "numbered_thing", {"id": "17"}),
        ("/api/things/a17", "thing", {"id": "a17"}),
        ("/api/things/%C3%A6%20%C3%B8", "thing", {"id": "æ ø"}),
        ("/api/things/a%2Fb", "thing", {"id": "a%2Fb"}),
        ("/api/things/a/parts/b", "part", {"id": "a", "part": "b"}),
        ("/api/things/a/parts", "part", {"id": "a"}),
        ("/api/things/a/b/c", "anything", {"rest": "a/b/c"}),
    ],
)
def test_the_most_specific_route_gets_the_request(
    host: HostProcess, path: str, function: str, params: dict[str, str]
) -> None:
    answer = get(host, path).json()

    assert (answer["function"], answer["params"]) == (function, params)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/unrouted"),
        ("GET", "/api/none"),
        ("GET", "/api/mirror"),
        ("DELETE", "/api/things/special"),
        ("GET", "/admin/none"),
    ],
)
def test_what_no_route_takes_is_not_found(host: HostProcess, method: str, path: str) -> None:
    answer = get(host, path, method)

    assert (answer.status_code, answer.content) == (404, b"")


def test_head_is_answered_by_a_get_function_without_a_body(host: HostProcess) -> None:
    answer = get(host, "/api/things/17", "HEAD")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == "application/json"


def test_head_is_not_allowed_where_nothing_can_be_got(host: HostProcess) -> None:
    answer = get(host, "/api/mirror", "HEAD")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_function_sees_the_request_as_it_was_sent(host: HostProcess) -> None:
    url = f"{host.url}/api/things/a?x=1&x=2&empty=&y=%C3%A5"

    answer = requests.post(url, data=b"12345", headers={"X-One": "a"}, timeout=10).json()

    assert (answer["method"], answer["url"], answer["size"]) == ("POST", url, 5)
    assert answer["query"] == {"x": "1,2", "y": "å"}
    assert answer["headers"]["x-one"] == "a"


def test_bytes_come_back_as_they_went(host: HostProcess) -> None:
    content = bytes(range(256)) * 1000

    answer = requests.post(f"{host.url}/api/mirror", data=content, timeout=10)

    assert answer.content == content
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_a_body_of_100_mb_arrives_whole(host: HostProcess) -> None:
    answer = requests.post(f"{host.url}/api/things/a", data=bytes(LIMIT), timeout=60)

    assert answer.json()["size"] == LIMIT


def test_a_body_above_100_mb_is_refused_before_the_function_sees_it(host: HostProcess) -> None:
    answer = requests.post(f"{host.url}/api/things/a", data=bytes(LIMIT + 1), timeout=60)

    assert (answer.status_code, answer.content) == (413, b"")


def test_a_body_of_unannounced_size_arrives_whole(host: HostProcess) -> None:
    pieces = [os.urandom(1000), os.urandom(70_000)]

    answer = requests.post(f"{host.url}/api/mirror", data=iter(pieces), timeout=10)

    assert answer.content == b"".join(pieces)


def test_a_request_that_breaks_off_reaches_no_function(host: HostProcess) -> None:
    before = len([line for line in host.log if "mirror succeeded" in line])
    with socket.create_connection(("127.0.0.1", host.port)) as client:
        client.sendall(b"POST /api/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    time.sleep(0.3)

    assert len([line for line in host.log if "mirror succeeded" in line]) == before


def test_every_cookie_keeps_its_attributes(host: HostProcess) -> None:
    answer = get(host, "/api/cookies")

    assert answer.raw.headers.getlist("set-cookie") == [
        "__Host-one=a-b_c; max-age=600; path=/; secure; samesite=lax; httponly",
        "__Host-two=; max-age=0; path=/; secure; samesite=lax; httponly",
        "three=x; expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=none",
        "four=a%3Db%2Fc",
    ]


def test_a_function_that_raises_gives_500_and_nothing_of_the_reason(host: HostProcess) -> None:
    answer = get(host, "/api/broken")

    assert (answer.status_code, answer.content) == (500, b"")
    eventually(lambda: any("broken failed" in line for line in host.log))
    lines = [line for line in host.log if "broken failed" in line]
    assert len(lines) == 1
    assert "ValueError: of no use\\nto the caller" in lines[0]


def test_a_header_cannot_be_split(host: HostProcess) -> None:
    answer = get(host, "/api/broken-header")

    assert answer.status_code == 500
    assert "X-Injected" not in answer.headers


def test_an_answer_without_content_has_none(host: HostProcess) -> None:
    answer = get(host, "/api/nothing")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers


def test_a_request_is_cut_off_when_the_function_takes_too_long(host: HostProcess) -> None:
    assert get(host, "/api/slow?seconds=4").status_code == 504


def test_synchronous_functions_run_on_as_many_threads_as_the_setting_says(
    host: HostProcess,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(host, "/api/together"), range(8)))

    assert {answer.text for answer in answers} == {"eight"}


def test_a_connection_is_kept_for_the_next_request(host: HostProcess) -> None:
    connection = HTTPConnection("127.0.0.1", host.port, timeout=10)
    for _ in range(3):
        connection.request("GET", "/api/nothing")
        connection.getresponse().read()
        kept = connection.sock
    connection.close()

    assert kept is not None
