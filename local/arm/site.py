"""A function app seen from outside: the deployment service, the host's status, a few answers."""

import io
import uuid
import zipfile
from typing import ClassVar

from local.standins.standin import StandIn
from local.standins.trust import Trust
from local.standins.web import Request, Response


class Site(StandIn):
    """Takes packages for the remote build and answers as the application does once it has one."""

    name: ClassVar[str] = "site"

    def __init__(self, trust: Trust) -> None:
        super().__init__(trust)
        self.packages: list[bytes] = []
        self.refused_publishes = 0
        self.failed_builds = 0
        self.unwell = 0
        self.lets_strangers_in = False

    @property
    def host(self) -> str:
        return self.url.removeprefix("https://")

    def contents(self) -> list[str]:
        """Return the names in the newest package."""
        with zipfile.ZipFile(io.BytesIO(self.packages[-1])) as package:
            return package.namelist()

    def answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/api/publish":
                return self.publish(request)
            case "GET", "/api/deployments/latest":
                return self.build()
            case "GET", "/api/deployments/" | "/api/deployments/1/log":
                return self.log(request)
            case "GET", _:
                return self.application(request)
        return Response(404, {"error": f"{request.method} {request.path} is not known here"})

    def publish(self, request: Request) -> Response:
        if request.bearer() is None:
            return Response(401, {"error": "basic credentials are switched off"})
        if request.query.get("RemoteBuild", "").lower() != "true":
            return Response(400, {"error": "without a remote build nothing is installed"})
        if self.refused_publishes:
            self.refused_publishes -= 1
            return Response(
                500, "InaccessibleStorageException: Failed to access storage account: 403"
            )
        self.packages.append(request.body)
        return Response(202, f'"{uuid.uuid4()}"')

    def build(self) -> Response:
        if self.failed_builds:
            self.failed_builds -= 1
            return Response(200, {"status": 3, "status_text": "pip install failed"})
        return Response(200, {"status": 4, "complete": True})

    def log(self, request: Request) -> Response:
        """List the one deployment there is, or tell what its build said."""
        if request.path.endswith("/log"):
            return Response(200, [{"message": "ERROR: No matching distribution found"}])
        log_url = f"{self.url}/api/deployments/1/log"
        return Response(200, [{"start_time": "2026-12-01T08:00:00Z", "log_url": log_url}])

    def application(self, request: Request) -> Response:
        """Answer as the host and the application in it do."""
        match request.path:
            case "/admin/host/status":
                return Response(200, {"state": "Running"})
            case "/api/health":
                return self.health()
            case "/api/accounts":
                return self.accounts()
        return Response(404, {"error": f"{request.path} is not known here"})

    def accounts(self) -> Response:
        """Answer a caller without a token."""
        if self.lets_strangers_in:
            return Response(200, {"items": [], "next": None})
        return Response(401, {"code": "unauthenticated"}, {"WWW-Authenticate": "Bearer"})

    def health(self) -> Response:
        if self.unwell or not self.packages:
            self.unwell = max(0, self.unwell - 1)
            return Response(503, {"status": "fail", "checks": {"vault": "ForbiddenByRbac"}})
        return Response(200, {"status": "pass"})
