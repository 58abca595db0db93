"""HTTP triggers: the interface, described for programs and people, and each problem explained."""

import azure.functions as func

from functions._http import endpoint, json_response, language_of, page_response
from shared import wiring

blueprint = func.Blueprint()


@blueprint.route(route="openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's signature
    """Return the OpenAPI document."""
    return json_response(wiring.openapi_document())


@blueprint.route(route="docs", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def docs(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's signature
    """Return the same as a page."""
    return page_response(wiring.reference_page())


@blueprint.route(route="problems/{code}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def problem(req: func.HttpRequest) -> func.HttpResponse:
    """Return the page that a problem's type leads to."""
    return page_response(wiring.problem_page(str(req.route_params["code"]), language_of(req)))
