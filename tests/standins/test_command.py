"""``python -m local.standins`` as another program uses it, and the control server."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.standins import Stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.standins", *request.param],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(10) == 0
        if process.stdout:
            process.stdout.close()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("program", [["--user", "eva@firma.no"]], indirect=True)
def test_another_program_finds_them_by_the_printed_settings(
    program: "subprocess.Popen[str]",
) -> None:
    settings = json.loads(first_line(program))

    assert {
        "ENTRA_AUTHORITY",
        "ENTRA_CLIENT_ID",
        "KEY_VAULT_URL",
        "SMTP_HOST",
        "SMTP_PORT",
        "CALLER_ISSUER",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "MANAGED_IDENTITY_CLIENT_ID",
        "EVENT_GRID_ENDPOINT",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "INBOX_URL",
        "CONTROL_URL",
    } <= settings.keys()
    order = {"verb": "entra.access_token", "args": {"username": "eva@firma.no"}}
    answer = requests.post(settings["CONTROL_URL"], json=order, timeout=5)
    assert len(answer.json()["result"]) > 1000


@pytest.mark.parametrize("program", [["--only", "issuer", "--format", "export"]], indirect=True)
def test_one_can_run_alone(program: "subprocess.Popen[str]") -> None:
    line = first_line(program)
    assert line.startswith("export SSL_CERT_FILE=")
    assert Path(shlex.split(line)[1].partition("=")[2]).exists()


def call(stack: Stack, order: object, **headers: str) -> requests.Response:
    return requests.post(f"{stack.control.url}/control", json=order, headers=headers, timeout=5)


def test_verbs_are_callable_and_described(standins: Stack) -> None:
    described = requests.get(f"{standins.control.url}/control", timeout=5).json()
    assert described["exchange"]["drop_at"].startswith("(stage: str")
    assert call(standins, {"verb": "exchange.down"}).json() == {"result": None}
    assert call(standins, {"verb": "exchange.up", "args": []}).json() == {"result": None}
    order = {"verb": "exchange.reply_next", "args": ["mail", "451 4.7.0 later"]}
    assert call(standins, order).status_code == 200


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"verb": "entra.nonsense"}, 404),
        ({"verb": "entra.__init__"}, 404),
        ({"verb": "nobody.reset"}, 404),
        ({"verb": "entra.disable_user", "args": {"username": "x@y.no"}}, 422),
        ({"verb": "entra.disable_user", "args": {"wrong": 1}}, 422),
        (["entra.reset"], 400),
    ],
)
def test_a_wrong_order_is_refused(standins: Stack, order: object, status: int) -> None:
    assert call(standins, order).status_code == status


def test_no_page_in_a_browser_can_give_orders(standins: Stack) -> None:
    order = {"verb": "entra.reset"}
    assert call(standins, order, **{"Content-Type": "text/plain"}).status_code == 415
    assert call(standins, order, Host="evil.example").status_code == 404


def test_the_inbox_is_readable_over_http(standins: Stack) -> None:
    content = b"From: kari@firma.no\r\nSubject: =?utf-8?q?H=C3=A5?=\r\n\r\nhei\r\n"
    standins.exchange.mailboxes.store(
        standins.exchange.mailbox("kari@firma.no"),
        "kari@firma.no",
        ("ola@x.no",),
        content,
        session="s",
        message_id="<1@x>",
        smtputf8=False,
    )
    url = f"{standins.inbox.url}/messages"

    [item] = requests.get(url, params={"to": "ola@x.no"}, timeout=5).json()["items"]

    assert (item["subject"], item["text"].strip()) == ("Hå", "hei")
    raw = requests.get(f"{url}/{item['id']}/raw", timeout=5)
    assert (raw.headers["Content-Type"], raw.content) == ("message/rfc822", content)
    assert requests.get(f"{url}/99", timeout=5).status_code == 404
    assert requests.get(url, params={"to": "x@x.no"}, timeout=5).json() == {"items": []}
