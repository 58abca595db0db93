"""Customers apart, endpoint by endpoint: another's account is answered as one that never was."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import azurite as emulator
from local.host.process import running
from local.standins import Stack
from shared.identifiers import new_identifier
from tests.breaking.storage_front import StorageFront
from tests.client import Answer, Api
from tests.interface.operations import Operation, operations
from tests.ports import free_port

BODIES: dict[str | None, object] = {
    None: None,
    "SendRequest": {"to": ["ola@kunde.no"], "subject": "Hei", "text": "Hei"},
    "AccountChange": {"display_name": "Tatt over"},
    "Resolution": {"as": "resend"},
}
OF_ACCOUNTS = [one for one in operations() if "{account_id}" in one.path]
OF_MESSAGES = [one for one in operations() if "{message_id}" in one.path]
TIMES = 9


@dataclass
class House:
    """A host whose storage is watched, and two customers: the owner of all, and a stranger."""

    front: StorageFront
    owner: Api
    stranger: Api
    account: str
    message: str
    strangers_account: str
    steps: list[str] = field(default_factory=list)

    def ask(self, operation: Operation, **ids: str) -> Answer:
        """Call as the stranger; ``steps`` is then what storage was asked for it."""
        path = operation.path.format(**ids)
        self.front.forget()
        answer = self.stranger.call(operation.method, path, BODIES[operation.body])
        self.steps = self.front.steps()
        return answer


@pytest.fixture(scope="module")
def house(stack: Stack, azurite: emulator.Azurite, settings: dict[str, str]) -> Iterator[House]:
    stack.reset()
    port = free_port()
    with StorageFront(azurite) as front:
        own = {
            "AzureWebJobsStorage": front.connection_string,
            "PUBLIC_URL": f"http://localhost:{port}",
        }
        with running({**settings, **own}, port=port) as host:
            owner = Api(host.url, stack, stack.issuer.mint, "eieren")
            account = owner.add_account()["id"]
            tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
            letter = {"to": ["ola@kunde.no"], "text": "Hei", "send_at": tomorrow}
            sent = owner.post(f"/accounts/{account}/messages", letter).json
            stranger = owner.of("en-annen")
            own_account = stranger.add_account("per@annen.no")["id"]
            await_quiet(front)
            yield House(front, owner, stranger, account, sent["id"], own_account)


def await_quiet(front: StorageFront) -> None:
    """Wait until nothing is asked of storage but what a test asks for."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        front.forget()
        time.sleep(1)
        if not front.steps():
            return
    pytest.fail(f"storage is never left alone: {front.steps()}")


def nobody() -> str:
    """An id that was never given to anything."""
    return new_identifier(datetime.now(UTC))


def without_instance(answer: Answer) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of an answer but what names this one occurrence."""
    body = {name: value for name, value in answer.json.items() if name != "instance"}
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, body, headers


def is_untouched(house: House) -> bool:
    account = house.owner.get(f"/accounts/{house.account}").json
    message = house.owner.get(f"/accounts/{house.account}/messages/{house.message}").json
    listed = house.owner.get(f"/accounts/{house.account}/messages").json["items"]
    return (account["display_name"], account["waiting"], message["status"], len(listed)) == (
        None,
        1,
        "queued",
        1,
    )


@pytest.mark.parametrize("operation", OF_ACCOUNTS, ids=str)
def test_anothers_account_is_answered_as_one_that_never_was(
    house: House, operation: Operation
) -> None:
    anothers = house.ask(operation, account_id=house.account, message_id=house.message)
    steps_of_anothers = house.steps
    nobodys = house.ask(operation, account_id=nobody(), message_id=nobody())

    assert anothers.status == 404
    assert anothers.json["code"] == "account-not-found"
    assert without_instance(anothers) == without_instance(nobodys)
    assert steps_of_anothers == house.steps
    assert is_untouched(house)


@pytest.mark.parametrize("operation", OF_MESSAGES, ids=str)
def test_anothers_message_is_answered_as_one_that_never_was(
    house: House, operation: Operation
) -> None:
    account = house.strangers_account
    anothers = house.ask(operation, account_id=account, message_id=house.message)
    steps_of_anothers = house.steps
    nobodys = house.ask(operation, account_id=account, message_id=nobody())

    assert anothers.status == 404
    assert anothers.json["code"] == "message-not-found"
    assert without_instance(anothers) == without_instance(nobodys)
    assert steps_of_anothers == house.steps
    assert is_untouched(house)


def test_no_list_holds_what_is_anothers(house: House) -> None:
    accounts = house.stranger.get("/accounts?limit=100").json["items"]

    assert [one["id"] for one in accounts] == [house.strangers_account]
    assert house.stranger.get(f"/accounts/{house.strangers_account}/messages").json["items"] == []


def test_a_cursor_of_anothers_shows_nothing_of_anothers(house: House) -> None:
    """Cursors are opaque and no permission: they only say where in one's own list to go on."""
    found = house.stranger.get(f"/accounts?cursor={house.account}").json["items"]

    assert all(one["id"] == house.strangers_account for one in found)


@pytest.mark.parametrize("operation", [one for one in OF_ACCOUNTS if one.method == "GET"], ids=str)
def test_the_time_it_takes_tells_nothing_either(house: House, operation: Operation) -> None:
    took: dict[str, list[float]] = {"anothers": [], "nobodys": []}
    for _ in range(TIMES):
        for whose, account in (("anothers", house.account), ("nobodys", nobody())):
            before = time.perf_counter()
            house.ask(operation, account_id=account, message_id=nobody())
            took[whose].append(time.perf_counter() - before)

    quickest, slowest = sorted(statistics.median(times) for times in took.values())

    assert slowest < 3 * quickest


def test_a_token_without_a_customer_sees_nobodys_accounts(house: House) -> None:
    nameless = Api(house.owner.url, house.owner.standins, house.owner.mint)
    for customer in (None, "", " ", 5, ["eieren"], {"eieren": True}):
        nameless.token = house.owner.mint(customer="x", customer_id=customer)
        if customer is None:
            nameless.token = house.owner.mint(customer=None)

        assert nameless.get(f"/accounts/{house.account}").status == 401, customer
