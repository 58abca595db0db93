"""Publishes the package and sees whether the application answers."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from .az import Az, AzError, DeploymentError, patiently, text

NOT_YET = (
    "InaccessibleStorageException",
    "AuthorizationPermissionMismatch",
    "Status Code: 403",
    "ongoing deployment",
)
"""What az says while a role assignment has not reached every place yet, or a build is running."""


def publish(az: Az, group: str, application: str, package: Path) -> None:
    """Hand the package to the remote build; waits while the identity's roles take effect."""

    def attempt() -> str:
        try:
            az.run(
                *("functionapp", "deployment", "source", "config-zip"),
                *("--resource-group", group, "--name", application),
                *("--src", str(package), "--build-remote", "true", "--timeout", "900"),
            )
        except AzError as error:
            if reason := next((one for one in NOT_YET if one in error.said), None):
                return f"the package could not be stored yet ({reason})"
            error.todo = (
                "Mend what the build complains about; its log: az functionapp log deployment show "
                f"--resource-group {group} --name {application}\nThen run the same command again."
            )
            raise
        return ""

    patiently(attempt, minutes=12, first=15)


def address(az: Az, group: str, application: str) -> str:
    """Return where the function app itself answers, whatever domain leads to it."""
    shown = az.ask("functionapp", "show", "--resource-group", group, "--name", application)
    host = text(shown, "defaultHostName") or text(shown, "properties", "defaultHostName")
    return f"https://{host}"


def answer(url: str) -> tuple[int, bytes]:
    """GET *url*; returns the status and the body, 0 and the reason when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ssl.SSLError) as error:
        return 0, str(error).encode()


def smoke_test(site: str) -> None:
    """Ask the application whether it is well, and see to it that a stranger is turned away."""

    def unwell() -> str:
        status, body = answer(f"{site}/api/health")
        return "" if status == 200 else f"/api/health answers {status or 'nothing'}{_why(body)}"

    todo = (
        "Look at what the application logs: Application Insights of the function app, or "
        "'Log stream' in the portal. When what it complains about is mended, run this again."
    )
    patiently(unwell, minutes=10, first=10, todo=todo)
    status, _ = answer(f"{site}/api/accounts")
    if status != 401:
        raise DeploymentError(
            f"GET /api/accounts without a token answers {status} instead of 401.",
            "Do not use this installation: look at the log of the function app first.",
        )


def _why(body: bytes) -> str:
    """Say in a few words what the health answer complains about."""
    try:
        told = json.dumps(json.loads(body))
    except ValueError:
        told = body.decode("utf-8", "replace")
    return f" ({told[:200]})" if told.strip() else ""
