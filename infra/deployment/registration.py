"""The app registration that mailbox owners consent to, made with 'az ad' commands.

The same as entra.bicep, for those who may not use the Graph extension. Finds before it makes, so
that it can be repeated; never makes a client secret.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .az import Az, DeploymentError, Json, items, member, text

CREDENTIAL = "managed-identity"
MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"
DELEGATED_PERMISSIONS = {
    "SMTP.Send": "258f6531-6087-4cc4-bb90-092c5fb3ed3f",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the registration has to say."""

    display_name: str
    redirect_uri: str
    personal_accounts: bool
    issuer: str
    subject: str

    @property
    def audience(self) -> str:
        return (
            "AzureADandPersonalMicrosoftAccount"
            if self.personal_accounts
            else "AzureADMultipleOrgs"
        )


def register(az: Az, wanted: Wanted, *, client_id: str | None = None) -> str:
    """Make or mend the registration and return its client id.

    *client_id* names an existing one; without it the one of the same display name is taken, and
    made when there is none.
    """
    with TemporaryDirectory() as folder:
        application = _application(az, wanted, client_id, Path(folder))
        _service_principal(az, application)
        _credential(az, application, wanted, Path(folder))
    return application


def _application(az: Az, wanted: Wanted, client_id: str | None, folder: Path) -> str:
    access = folder / "access.json"
    scopes: list[Json] = [{"id": one, "type": "Scope"} for one in DELEGATED_PERMISSIONS.values()]
    access.write_text(json.dumps([{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": scopes}]))
    said = (
        *("--display-name", wanted.display_name),
        *("--sign-in-audience", wanted.audience),
        *("--web-redirect-uris", wanted.redirect_uri),
        *("--enable-access-token-issuance", "false"),
        *("--enable-id-token-issuance", "false"),
        *("--requested-access-token-version", "2"),
        *("--required-resource-accesses", f"@{access}"),
    )
    found = client_id or _find(az, wanted.display_name)
    if found:
        az.run("ad", "app", "update", "--id", found, *said, anywhere=True)
        return found
    return text(az.ask("ad", "app", "create", *said, anywhere=True), "appId")


def _find(az: Az, display_name: str) -> str | None:
    listed = az.ask("ad", "app", "list", "--display-name", display_name, anywhere=True)
    same = [
        text(one, "appId") for one in items(listed) if text(one, "displayName") == display_name
    ]
    if len(same) > 1:
        raise DeploymentError(
            f"There are {len(same)} app registrations named '{display_name}': {', '.join(same)}.",
            "Say which one it is: --client-id <one of them>.",
        )
    return same[0] if same else None


def _service_principal(az: Az, application: str) -> None:
    if az.find("ad", "sp", "show", "--id", application, anywhere=True) is None:
        az.run("ad", "sp", "create", "--id", application, anywhere=True)


def _credential(az: Az, application: str, wanted: Wanted, folder: Path) -> None:
    command = ("ad", "app", "federated-credential")
    document: dict[str, Json] = {
        "name": CREDENTIAL,
        "description": "The function app's managed identity signs in as this application.",
        "issuer": wanted.issuer,
        "subject": wanted.subject,
        "audiences": ["api://AzureADTokenExchange"],
    }
    listed = items(az.ask(*command, "list", "--id", application, anywhere=True))
    found = next((one for one in listed if text(one, "name") == CREDENTIAL), None)
    if found is not None and all(member(found, key) == value for key, value in document.items()):
        return
    path = folder / "credential.json"
    path.write_text(json.dumps(document))
    said = ("--id", application, "--parameters", f"@{path}")
    if found is None:
        az.run(*command, "create", *said, anywhere=True)
    else:
        az.run(*command, "update", *said, "--federated-credential-id", CREDENTIAL, anywhere=True)
