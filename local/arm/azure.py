"""All of it together: Resource Manager, Graph, one function app, the caller's identity."""

import os
import sys
from pathlib import Path
from typing import Self

from local.arm.directory import Directory
from local.arm.manager import Manager
from local.arm.site import Site
from local.standins.managed_identity import CLIENT_ID, HOME_TENANT, ManagedIdentity
from local.standins.trust import Trust

ROOT = Path(__file__).resolve().parent.parent.parent


class Azure:
    """Starts the stand-ins and writes what leads the az CLI to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trust = Trust(folder / "trust")
        self.identity = ManagedIdentity()
        self.site = Site(self.trust)
        self.directory = Directory(self.trust)
        self.manager: Manager

    def __enter__(self) -> Self:
        self.identity.up()
        self.site.up()
        self.directory.up()
        self.manager = Manager(self.trust, HOME_TENANT, self.site.host, self.directory)
        self.manager.up()
        for resource in ("https://management.core.windows.net/", "https://appservice.azure.com"):
            self.identity.serve_resource(resource)
            self.identity.serve_resource(resource.rstrip("/"))
        self.identity.serve_resource(self.directory.url)
        self.identity.serve_resource(f"{self.directory.url}/")
        self.compiler()
        return self

    def __exit__(self, *_exc: object) -> None:
        for one in (self.manager, self.directory, self.site, self.identity):
            one.down()
        self.trust.close()

    @property
    def compiler_path(self) -> Path:
        """Where az looks for its Bicep compiler."""
        return self.folder / "az" / "bin" / "bicep"

    def compiler(self, *, says: str | None = None) -> None:
        """Put the stand-in compiler where az looks for its own; *says* makes it another."""
        run = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m local.arm.bicep "$@"'
        if says:
            run = f'echo "{says}"'
        self.compiler_path.parent.mkdir(parents=True, exist_ok=True)
        self.compiler_path.write_text(f"#!/bin/sh\n{run}\n", encoding="utf-8")
        self.compiler_path.chmod(0o755)

    def environment(self, az: Path) -> dict[str, str]:
        """The environment in which az and the deployment run."""
        identity = self.identity.settings()
        return {
            "PATH": f"{az.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AZURE_CONFIG_DIR": str(self.folder / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_BICEP_CHECK_VERSION": "false",
            "IDENTITY_ENDPOINT": identity["IDENTITY_ENDPOINT"],
            "IDENTITY_HEADER": identity["IDENTITY_HEADER"],
            **self.trust.settings(),
        }

    def sign_in(self) -> list[list[str]]:
        """The az commands that lead to this Azure and sign in to it."""
        return [
            [
                "cloud",
                "register",
                "--name",
                "Rehearsal",
                "--endpoint-resource-manager",
                self.manager.url,
            ],
            ["cloud", "set", "--name", "Rehearsal"],
            ["login", "--identity", "--client-id", CLIENT_ID],
        ]
