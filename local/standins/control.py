"""The verbs over HTTP, so that another process can set what the stand-ins do."""

import asyncio
from collections.abc import Mapping
from typing import Any

from local.standins.standin import StandIn
from local.standins.verbs import described, plain, verbs_of
from local.standins.web import Broken, Request, Response


class Control(StandIn):
    """``POST /control {"verb": "entra.disable_user", "args": {"username": ...}}``.

    ``GET /control`` lists the verbs. Only JSON is taken and only under a loopback name, so that no
    page in a browser can post here.
    """

    name = "control"

    def __init__(self, standins: Mapping[str, object], port: int = 0) -> None:
        super().__init__(None, port)
        self._standins = standins

    def settings(self) -> dict[str, str]:
        return {"CONTROL_URL": f"{self.url}/control"}

    async def __call__(self, request: Request) -> Response | Broken:
        host = request.headers["host"].partition(":")[0]
        if request.path != "/control" or host not in ("127.0.0.1", "localhost"):
            return Response(404, {"error": "not found"})
        if request.method == "GET":
            return Response(200, {name: described(s) for name, s in self._standins.items()})
        if request.method != "POST":
            return Response(405, {"error": "GET or POST"})
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Response(415, {"error": "application/json expected"})
        return await self._call(request.json())

    async def _call(self, order: Any) -> Response:  # noqa: ANN401 - JSON
        if not isinstance(order, dict) or not isinstance(order.get("verb"), str):
            return Response(400, {"error": 'expected {"verb": "standin.verb", "args": ...}'})
        name, _, verb = order["verb"].partition(".")
        found = verbs_of(self._standins[name]) if name in self._standins else {}
        if verb not in found:
            return Response(404, {"error": f"there is no verb {order['verb']}"})
        args = order.get("args") or {}
        named = args if isinstance(args, dict) else {}
        listed = args if isinstance(args, list) else []
        try:
            # On a thread of its own: a verb may wait for the loop that answers here.
            result = await asyncio.to_thread(found[verb], *listed, **named)
        except Exception as error:
            return Response(422, {"error": f"{type(error).__name__}: {error}"})
        return Response(200, {"result": plain(result)})
