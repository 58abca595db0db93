"""The addresses a browser visits while a mailbox is connected: open to all, no bearer token."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import azure.functions as func

from functions._http import page_response
from shared import wiring

if TYPE_CHECKING:
    from shared.pages.visit import Visit

blueprint = func.Blueprint()


@blueprint.route(route="oauth/start", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_start(req: func.HttpRequest) -> func.HttpResponse:
    """Open a connect link: the question who asks, or the way to Microsoft."""
    return page_response(wiring.browser().start(_visit(req), datetime.now(UTC)))


@blueprint.route(route="oauth/callback", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Receive the browser back from Microsoft (RFC 6749 section 4.1.2)."""
    return page_response(wiring.browser().callback(_visit(req), datetime.now(UTC)))


@blueprint.route(route="oauth/admin", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_admin(req: func.HttpRequest) -> func.HttpResponse:
    """Show an IT admin what is missing; a POST checks again."""
    check = req.method == "POST"
    return page_response(wiring.browser().admin(_visit(req), datetime.now(UTC), check=check))


@blueprint.route(route="oauth/assets/{name}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def oauth_asset(req: func.HttpRequest) -> func.HttpResponse:
    """Return a stylesheet, script or picture of the pages."""
    return page_response(wiring.browser().asset(req.route_params["name"], _visit(req)))


def _visit(req: func.HttpRequest) -> "Visit":
    from shared.pages.visit import Visit

    return Visit(
        query=urlsplit(req.url).query,
        cookie=req.headers.get("Cookie", ""),
        referer=req.headers.get("Referer", ""),
        accept_language=req.headers.get("Accept-Language"),
    )
