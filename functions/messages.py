"""HTTP triggers: accepting messages, telling how they stand, and a caller's word on them."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import azure.functions as func

from functions._http import (
    LARGEST_BODY,
    Json,
    body,
    caller,
    endpoint,
    json_body,
    json_response,
    language_of,
    media_type,
    no_body,
    page_of,
    seconds_to_wait,
)
from shared import wiring
from shared.errors import Fault, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.accounts.account import Account
    from shared.messages.accept import Accepted, Key
    from shared.messages.draft import Draft, Sender
    from shared.messages.record import Record
    from shared.messages.settle import Settlement
    from shared.schedule import Rest

blueprint = func.Blueprint()
SCOPE = "mail.send"
TEST_SECONDS = 20


@blueprint.route(
    route="accounts/{account_id}/messages", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def send_message(req: func.HttpRequest) -> func.HttpResponse:
    """Accept a message: 202 says that it is stored and will not be lost."""
    watched = _watched(req)
    wait = seconds_to_wait(req)

    def compose(sender: "Sender", message_id: str) -> "Draft":
        return _draft(req, sender, message_id)

    accepted = wiring.intake().accept(watched, compose, _key(req), wake_in=_safety(wait))
    return _answer(req, watched[0], accepted, wait)


@blueprint.route(
    route="accounts/{account_id}/test", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def test_account(req: func.HttpRequest) -> func.HttpResponse:
    """Send a test message from the account to its own address, and wait for it."""
    from shared.messages import test_message

    watched = _watched(req)
    no_body(req)
    product = wiring.config().product_name
    language = language_of(req)

    def compose(sender: "Sender", message_id: str) -> "Draft":
        return test_message.draft(
            sender, message_id, product=product, language=language, now=wiring.now()
        )

    accepted = wiring.intake().accept(watched, compose, wake_in=_safety(TEST_SECONDS))
    return _answer(req, watched[0], accepted, TEST_SECONDS)


@blueprint.route(
    route="accounts/{account_id}/messages", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def list_messages(req: func.HttpRequest) -> func.HttpResponse:
    """List the account's messages, newest first."""
    account = _account(req)
    limit, after = page_of(req)
    records = wiring.messages().records(account.id, after=after, limit=limit + 1)
    rest = _rest(account, records)
    items = [_view(record, account, req, rest) for record in records[:limit]]
    following = records[limit - 1].id if len(records) > limit else None
    return json_response({"items": items, "next": following})


@blueprint.route(
    route="accounts/{account_id}/messages/{message_id}",
    methods=["GET"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
@endpoint
def read_message(req: func.HttpRequest) -> func.HttpResponse:
    """Return one message."""
    account = _account(req)
    record = wiring.messages().record(account.id, _message_id(req))
    if record is None:
        raise ServiceError("message-not-found")
    return json_response(_view(record, account, req, _rest(account, [record])))


@blueprint.route(
    route="accounts/{account_id}/messages/{message_id}/cancel",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
@endpoint
def cancel_message(req: func.HttpRequest) -> func.HttpResponse:
    """Take a waiting message back."""
    from shared.messages import settle

    account = _account(req)
    no_body(req)
    return _settle(req, account, settle.cancel, wakes=False)


@blueprint.route(
    route="accounts/{account_id}/messages/{message_id}/retry",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
@endpoint
def retry_message(req: func.HttpRequest) -> func.HttpResponse:
    """Try a failed or waiting message now."""
    from shared.messages import settle

    account = _account(req)
    no_body(req)
    return _settle(req, account, settle.retry_at(wiring.now()), wakes=True)


@blueprint.route(
    route="accounts/{account_id}/messages/{message_id}/resolve",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
@endpoint
def resolve_message(req: func.HttpRequest) -> func.HttpResponse:
    """Settle an uncertain message: it counts as sent, or is sent again."""
    from shared.messages import settle

    account = _account(req)
    as_ = settle.resolution(json_body(req))
    return _settle(req, account, settle.resolve(as_, wiring.now()), wakes=as_ == "resend")


def _account(req: func.HttpRequest) -> "Account":
    asker = caller(req, SCOPE)
    return wiring.register().find(asker.customer, req.route_params["account_id"])


def _watched(req: func.HttpRequest) -> "tuple[Account, datetime | None]":
    asker = caller(req, SCOPE)
    return wiring.register().find_watched(asker.customer, req.route_params["account_id"])


def _message_id(req: func.HttpRequest) -> str:
    from shared.identifiers import is_identifier

    message = str(req.route_params["message_id"])
    if not is_identifier(message):
        raise ServiceError("message-not-found")
    return message


def _key(req: func.HttpRequest) -> "Key | None":
    """Return the idempotency key with the body's fingerprint, if there is one."""
    from shared.messages.accept import Key

    key = req.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 256 or not (key.isascii() and key.isprintable()):
        fault = Fault("Idempotency-Key", "must be 1 to 256 printable characters")
        raise ServiceError("invalid-idempotency-key", faults=[fault])
    return Key.of(key, media_type(req), body(req, limit=LARGEST_BODY))


def _draft(req: func.HttpRequest, sender: "Sender", message_id: str) -> "Draft":
    octets = body(req, limit=LARGEST_BODY)
    kind = media_type(req)
    if kind == "application/json":
        from shared.messages.request import draft_from_json

        return draft_from_json(octets, sender=sender, message_id=message_id, now=wiring.now())
    if kind == "message/rfc822":
        from shared.messages.rfc822 import draft_from_rfc822

        return draft_from_rfc822(octets, sender=sender, message_id=message_id, now=wiring.now())
    raise ServiceError("unsupported-media-type")


def _safety(wait: int | None) -> timedelta:
    """Return when the queue is to look after a message that its own request tries to send."""
    return timedelta(seconds=wait + 5) if wait is not None else timedelta()


def _answer(
    req: func.HttpRequest, account: "Account", accepted: "Accepted", wait: int | None
) -> func.HttpResponse:
    """Answer at once, or, where the caller prefers so, as soon as the message is final."""
    from shared.messages.record import FINAL

    record = accepted.record
    location = f"{wiring.config().public_url}/api/accounts/{account.id}/messages/{record.id}"
    headers = {"Location": location}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait}"
        record = wiring.waiting().until_final(accepted, wait, _is_held_now)
        account = wiring.accounts().get(account.id) or account
    status = 200 if wait is not None and record.status in FINAL else 202
    return json_response(_view(record, account, req), status=status, headers=headers)


def _is_held_now(record: "Record") -> bool:
    from functions._views import is_held

    account = wiring.accounts().get(record.account_id)
    return account is not None and is_held(record, account, wiring.now())


def _settle(
    req: func.HttpRequest, account: "Account", settlement: "Settlement", *, wakes: bool
) -> func.HttpResponse:
    record = wiring.messages().settle(account.id, _message_id(req), settlement)
    if record is None:
        raise ServiceError("message-not-found")
    if wakes:
        wiring.leases().rouse(account.id, wiring.now(), asked=True)
        wiring.wake(account.id)
    return json_response(_view(record, account, req, _rest(account, [record])))


def _rest(account: "Account", records: "Sequence[Record]") -> "Rest | None":
    """Return whether the mailbox is left alone, where one of *records* waits for it."""
    from shared.messages.record import MessageStatus

    waits = any(record.status is MessageStatus.QUEUED for record in records)
    return wiring.leases().rest(account.id) if waits else None


def _view(
    record: "Record", account: "Account", req: func.HttpRequest, rest: "Rest | None" = None
) -> Json:
    from functions._views import message_view

    return message_view(record, account, rest, language=language_of(req), now=wiring.now())
