"""An Event Grid custom topic that takes CloudEvents 1.0 in batches from the managed identity."""

from typing import Any

from local.standins.faults import Fault
from local.standins.managed_identity import ManagedIdentity
from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.verbs import verb
from local.standins.web import Request, Response

AUDIENCE = "https://eventgrid.azure.net"
API_VERSION = "2018-01-01"
BATCH = "application/cloudevents-batch+json"
SIZE_LIMIT = 1024 * 1024
REQUIRED = ("specversion", "id", "source", "type")


class EventGrid(StandIn):
    """Remembers what was published, in order."""

    name = "event_grid"

    def __init__(self, trust: Trust, identity: ManagedIdentity, port: int = 0) -> None:
        super().__init__(trust, port)
        self.events: list[dict[str, Any]] = []
        self._identity = identity

    def settings(self) -> dict[str, str]:
        return {"EVENT_GRID_ENDPOINT": f"{self.url}/api/events"}

    @verb
    def published(self, subject: str | None = None) -> list[dict[str, Any]]:
        """The events so far, of one subject if asked."""
        return [event for event in list(self.events) if subject in (None, event.get("subject"))]

    @verb
    def reset(self) -> None:
        """No events, no faults."""
        super().reset()
        self.events.clear()

    def answer(self, request: Request) -> Response:
        if request.path != "/api/events" or request.method != "POST":
            return _refused(404, "NotFound", "The topic has no such path.")
        if not self._identity.verify(request.bearer(), AUDIENCE, AUDIENCE + "/"):
            return _refused(401, "Unauthorized", "The request is not authorized.")
        if len(request.body) > SIZE_LIMIT:
            return _refused(413, "RequestEntityTooLarge", "The batch exceeds 1 MB.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != BATCH:
            return _refused(415, "UnsupportedMediaType", f"{BATCH} expected.")
        batch = request.json()
        asked = request.query.get("api-version") == API_VERSION
        if not asked or not isinstance(batch, list) or not all(map(_is_event, batch)):
            return _refused(
                400, "BadRequest", "Neither the api-version nor the events may be others."
            )
        self.events.extend(batch)
        return Response(200)

    def refusal_body(self, fault: Fault) -> dict[str, object]:
        return {"error": {"code": fault.kind, "message": "Try again later."}}


def _is_event(event: object) -> bool:
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        return False
    return all(isinstance(event.get(name), str) and event[name] for name in REQUIRED)


def _refused(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
