"""Fuzzing from outside: whatever is sent, no fault of ours, no undescribed answer, no mail."""

import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Answer, Api, request

SECONDS = 30

LEFT_OUT = (
    # The Functions platform knows no TRACE, so that it answers 404 before we are asked.
    "unsupported_method",
    # A ticket that opens, a time that is still to come: no schema can say it.
    "positive_data_acceptance",
)


def test_a_fuzzer_led_by_the_document_finds_nothing(api: Api, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{api.url}/api/openapi.json"),
        *("--header", f"Authorization: Bearer {api.mint(api.customer)}"),
        *("--seed", "1", "--max-examples", "5", "--max-time", str(SECONDS), "--no-shrink"),
        *("--exclude-checks", ",".join(LEFT_OUT), "--warnings", "off", "--no-color"),
        *("--request-timeout", "30", "--generation-database", "none"),
    ]

    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=3 * SECONDS
    )

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert api.standins.exchange.delivered == []


_MEDIA = st.sampled_from(
    ["application/json", "message/rfc822", "text/plain", "application/json; charset=utf-16", ""]
)
_PIECES = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b'"to"', b'"text"', b'"ola@x.no"', b"1e999"),
    *(b"null", b"\\u", b'"\xff"', b'"\\ud800"', b"\xef\xbb\xbf", b"To: a@x", b"\r\n", b"\0"),
)
_BODIES = st.binary(max_size=300) | st.lists(st.sampled_from(_PIECES)).map(b"".join)


def test_any_octets_are_refused_as_the_contract_has_it_and_nothing_is_kept(api: Api) -> None:
    account = api.add_account()["id"]
    token = api.mint(api.customer)

    @settings(
        max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(body=_BODIES, media=_MEDIA)
    def fuzz(body: bytes, media: str) -> None:
        answer = _post(f"{api.url}/api/accounts/{account}/messages", body, media, token)

        assert answer.status in {400, 413, 415, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["code"]

    fuzz()

    assert api.get(f"/accounts/{account}/messages").json["items"] == []
    assert api.get(f"/accounts/{account}").json["waiting"] == 0


def _post(url: str, body: bytes, media: str, token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": media} if media else {})
    return request("POST", url, body, headers)
