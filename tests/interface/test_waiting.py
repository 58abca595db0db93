"""Why a message waits, and until when: told to whoever asks, and never for ever."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from local.host.process import HostProcess
from tests.client import Api

LETTER = {"to": ["ola@kunde.no"], "subject": "Faktura", "text": "Hei"}
TENANT = "550 5.7.233 Message can't be submitted because the tenant exceeded its daily limit"


def post(api: Api, path: str, **headers: str) -> dict[str, Any]:
    answer = api.post(f"{path}/messages", LETTER, **headers)
    assert answer.status in (200, 202), answer.text
    message: dict[str, Any] = answer.json
    return message


def final(api: Api, path: str) -> dict[str, Any]:
    """The message once it is sent, or as it is after ten seconds."""
    for _ in range(50):
        message: dict[str, Any] = api.get(path).json
        if message["status"] == "sent":
            break
        time.sleep(0.2)
    return message


def take_back(api: Api, path: str) -> None:
    """Cancel a message that waits for minutes, so that no later test meets it."""
    assert api.post(f"{path}/cancel").json["status"] == "cancelled"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_message_that_is_tried_again_says_what_came_of_the_last_try(api: Api) -> None:
    account = api.add_connected_account()
    path = f"/accounts/{account['id']}"
    api.standins.exchange.reply_next("content", "451 4.3.2 Temporary server error")

    waiting = post(api, path, prefer="wait=2")

    assert waiting["status"] == "queued"
    assert waiting["problem"]["who"] == "nobody"
    assert "Temporary server error" in waiting["attempts"][0]["reply"]["text"]
    api.post(f"{path}/messages/{waiting['id']}/retry")
    assert final(api, f"{path}/messages/{waiting['id']}")["status"] == "sent"


def test_a_mailbox_at_its_limit_says_until_when_the_rest_waits(api: Api) -> None:
    account = api.add_connected_account()
    path = f"/accounts/{account['id']}"
    for _ in range(30):
        post(api, path)

    paced = post(api, path, prefer="wait=10")
    read = api.get(f"{path}/messages/{paced['id']}").json
    listed = api.get(f"{path}/messages?limit=1").json["items"][0]

    assert paced["status"] == "queued"
    assert listed == read
    assert read["problem"]["code"] == "mailbox-paced"
    left = moment(read["next_attempt_at"]) - datetime.now(UTC)
    assert timedelta(seconds=20) < left <= timedelta(seconds=61)
    take_back(api, f"{path}/messages/{paced['id']}")


def test_a_paused_tenant_is_told_of_and_a_caller_may_try_all_the_same(api: Api) -> None:
    for name in ("kari@pause.no", "ola@pause.no"):
        api.standins.entra.add_user(name)
    account = api.add_connected_account("kari@pause.no")
    other = api.add_connected_account("ola@pause.no")
    path = f"/accounts/{other['id']}"
    api.standins.exchange.reply_next("content", TENANT)
    first = post(api, f"/accounts/{account['id']}", prefer="wait=5")

    waiting = post(api, path, prefer="wait=3")
    read = api.get(f"{path}/messages/{waiting['id']}").json
    api.post(f"{path}/messages/{waiting['id']}/retry")
    tried = final(api, f"{path}/messages/{waiting['id']}")

    assert first["attempts"][0]["outcome"] == "paced"
    assert read["problem"]["code"] == "tenant-paused"
    assert read["attempts"] == []
    assert moment(read["next_attempt_at"]) > datetime.now(UTC) + timedelta(minutes=50)
    assert tried["status"] == "sent"
    take_back(api, f"/accounts/{account['id']}/messages/{first['id']}")


def test_who_goes_without_is_said_in_words_too(api: Api) -> None:
    account = api.add_connected_account()
    api.standins.exchange.reply_next("rcpt", "550 5.1.10 Recipient not found")

    sent = api.post(
        f"/accounts/{account['id']}/messages",
        LETTER | {"to": ["borte@kunde.no", "ola@kunde.no"]},
        prefer="wait=10",
    ).json

    assert (sent["status"], [one["address"] for one in sent["refused"]]) == (
        "sent",
        ["borte@kunde.no"],
    )
    assert sent["problem"]["code"] == "some-recipients-refused"


def test_a_break_before_anything_was_said_is_explained_and_logged(
    api: Api, host: HostProcess
) -> None:
    account = api.add_connected_account()
    api.standins.exchange.drop_at("starttls")

    waiting = post(api, f"/accounts/{account['id']}", prefer="wait=2")

    assert waiting["attempts"][0]["phase"] == "starttls"
    assert waiting["problem"] is not None
    failed = [line for line in host.log if "event=attempt_failed" in line]
    assert re.search(rf"message={waiting['id']} phase=starttls code=\S+ reason=\S+", failed[-1])
    assert final(api, f"/accounts/{account['id']}/messages/{waiting['id']}")["status"] == "sent"
