"""HTTP trigger: whatever no other function answers, preflights of the browser among it."""

import re

import azure.functions as func

from functions._http import endpoint, preflight
from shared.errors import ServiceError

blueprint = func.Blueprint()

ALLOWED = {
    r"accounts": "GET, POST",
    r"accounts/[^/]+": "GET, PATCH, DELETE",
    r"accounts/[^/]+/(connect|test|verify)": "POST",
    r"accounts/[^/]+/messages": "GET, POST",
    r"accounts/[^/]+/messages/[^/]+": "GET",
    r"accounts/[^/]+/messages/[^/]+/(cancel|retry|resolve)": "POST",
    r"oauth/(start|callback)|oauth/assets/[^/]+|health|openapi\.json|docs|problems/[^/]+": "GET",
    r"oauth/admin": "GET, POST",
}
"""The methods of each route, for the answer to any other method."""


# The name sorts last, since the platform may consult routes of equal rank in order of name.
@blueprint.route(
    route="{*path}",
    methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
@endpoint
def without_route(req: func.HttpRequest) -> func.HttpResponse:
    """Answer preflights, and say of anything else that there is no such thing or method."""
    if req.method == "OPTIONS":
        return preflight(req)
    path = (req.route_params.get("path") or "").strip("/")
    for pattern, methods in ALLOWED.items():
        if re.fullmatch(pattern, path):
            raise ServiceError("method-not-allowed", allow=methods)
    raise ServiceError("not-found")
