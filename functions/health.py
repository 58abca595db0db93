"""HTTP trigger: whether everything this application depends on answers."""

import azure.functions as func

from functions._http import endpoint, json_response
from shared import wiring

blueprint = func.Blueprint()


@blueprint.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@endpoint
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger's signature
    """Name each dependency and say whether it answers; 503 when one does not."""
    report = wiring.health().report()
    return json_response(
        {
            "status": "ok" if report.is_healthy else "unavailable",
            "dependencies": {
                name: "ok" if answers else "unavailable"
                for name, answers in report.answers.items()
            },
            "poisoned_wakeups": report.poisoned,
        },
        status=200 if report.is_healthy else 503,
    )
