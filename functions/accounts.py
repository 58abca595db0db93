"""HTTP triggers: opening, listing, reading, changing, connecting and closing accounts."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions._http import (
    Json,
    caller,
    endpoint,
    json_body,
    json_response,
    language_of,
    no_body,
    page_of,
)
from shared import wiring

if TYPE_CHECKING:
    from shared.accounts.account import Account
    from shared.caller import Caller

blueprint = func.Blueprint()
SCOPE = "mail.accounts"


@blueprint.route(route="accounts", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def create_account(req: func.HttpRequest) -> func.HttpResponse:
    """Open an account; the answer says where the mailbox's owner connects it."""
    from functions._views import account_view

    asker = caller(req, SCOPE)
    account = wiring.register().draft(asker.customer, json_body(req), wiring.now())
    connect = _connect(account, asker)  # before the account is kept: it needs the vault
    wiring.register().open(account)
    location = f"{wiring.config().public_url}/api/accounts/{account.id}"
    view = account_view(account, waiting=0, language=language_of(req))
    return json_response({**view, **connect}, status=201, headers={"Location": location})


@blueprint.route(route="accounts", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def list_accounts(req: func.HttpRequest) -> func.HttpResponse:
    """List the customer's accounts, the oldest first."""
    asker = caller(req, SCOPE)
    limit, after = page_of(req)
    accounts, following = wiring.register().page(asker.customer, after=after, limit=limit)
    items = list(wiring.readers().map(lambda account: _view(account, req), accounts))
    return json_response({"items": items, "next": following})


@blueprint.route(
    route="accounts/{account_id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def read_account(req: func.HttpRequest) -> func.HttpResponse:
    """Return one account."""
    _, account = _found(req)
    return json_response(_view(account, req))


@blueprint.route(
    route="accounts/{account_id}", methods=["PATCH"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def change_account(req: func.HttpRequest) -> func.HttpResponse:
    """Change an account; another username asks for a new connect."""
    from shared.accounts.account import AccountStatus

    asker, before = _found(req)
    account = wiring.register().change(asker.customer, before.id, json_body(req), wiring.now())
    renewed = account.generation != before.generation and account.status is AccountStatus.PENDING
    connect = _connect(account, asker) if renewed else {}
    return json_response({**_view(account, req), **connect})


@blueprint.route(
    route="accounts/{account_id}", methods=["DELETE"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def delete_account(req: func.HttpRequest) -> func.HttpResponse:
    """Close an account: its token goes, and its waiting mail never leaves."""
    asker, account = _found(req)
    wiring.register().close(asker.customer, account.id, wiring.now())
    return func.HttpResponse(status_code=204)


@blueprint.route(
    route="accounts/{account_id}/connect", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def connect_account(req: func.HttpRequest) -> func.HttpResponse:
    """Return a fresh address at which the account is connected, or connected again."""
    asker, account = _found(req)
    no_body(req)
    connect = _connect(account, asker)
    return json_response(
        {"connect_url": connect["connect_url"], "expires_at": connect["connect_expires_at"]}
    )


@blueprint.route(
    route="accounts/{account_id}/verify", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@endpoint
def verify_account(req: func.HttpRequest) -> func.HttpResponse:
    """Run the connect checks, without a mail."""
    from functions._views import check_view

    _, account = _found(req)
    no_body(req)
    arrival = wiring.connecting().check(account, wiring.now())
    checks = [check_view(one, arrival.account, language_of(req)) for one in arrival.checks]
    return json_response({"ok": all(one["status"] != "fail" for one in checks), "checks": checks})


def _found(req: func.HttpRequest) -> "tuple[Caller, Account]":
    asker = caller(req, SCOPE)
    return asker, wiring.register().find(asker.customer, req.route_params["account_id"])


def _view(account: "Account", req: func.HttpRequest) -> Json:
    from functions._views import account_view

    waiting = wiring.messages().waiting(account.id)
    return account_view(account, waiting=waiting, language=language_of(req))


def _connect(account: "Account", asker: "Caller") -> Json:
    """Return where the account is connected and until when; only the caller gets to see it."""
    from functions._views import timestamp

    address, expires_at = wiring.issue_ticket(account, asker)
    return {"connect_url": address.reveal(), "connect_expires_at": timestamp(expires_at)}
