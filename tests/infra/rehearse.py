"""Rehearses the deployment: the real az CLI and the real infra/deploy against a local Azure.

What is real: az (from the package index, kept in .cache), its sign-in by managed identity, every
command that infra/deploy gives it, the templates' parameters, the zip. What stands in: the Bicep
compiler (local.arm.bicep, found by az where it keeps its own), Resource Manager, Graph, the
deployment service and the application. Some minutes: az itself waits a minute at each publishing.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from local.arm.azure import ROOT, Azure
from local.arm.subscription import ArmError

PINNED = ROOT / "tests" / "infra" / "azure-cli.txt"
VENV = ROOT / ".cache" / "azure-cli"
NAME = "rehearsal"
DEPLOYED = ("functions", "shared", "function_app.py", "host.json", "requirements.txt")
READER = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}


class RehearsalError(Exception):
    """Something was not as it has to be."""


def expect(what: str, holds: object, seen: object = "") -> None:
    if not holds:
        raise RehearsalError(f"{what}: {seen}")


def az_cli() -> Path:
    """Install the az CLI once."""
    program, stamp = VENV / "bin" / "az", VENV / "installed.txt"
    wanted = PINNED.read_text(encoding="utf-8")
    if not (program.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        print("installing the az CLI (700 MB, once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(PINNED)]
        subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted, encoding="utf-8")
    return program


class Rehearsal:
    def __init__(self, azure: Azure, az: Path, folder: Path) -> None:
        self.azure = azure
        self.az = az
        self.folder = folder
        self.environment = azure.environment(az)
        self.parameters = folder / "rehearsal.json"
        self.write_parameters()

    def write_parameters(self) -> None:
        """Fill in the production parameters, as an operator would."""
        text = (ROOT / "infra" / "parameters" / "production.json").read_text(encoding="utf-8")
        document = json.loads(text.replace(".example", ".test"))
        document["parameters"]["name"]["value"] = NAME
        self.parameters.write_text(json.dumps(document), encoding="utf-8")

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, str(ROOT / "infra" / script), str(self.parameters), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def succeeds(self, *arguments: str) -> str:
        status, said = self.run("deploy", *arguments)
        expect("the deployment succeeds", status == 0, said)
        return said

    def stops(self, *words: str) -> str:
        """Deploy and expect it to stop, with words that say why and what to do."""
        status, said = self.run("deploy")
        expect("the deployment stops", status == 1, said)
        for one in (*words, "What to do:"):
            expect(f"it says '{one}'", one in said, said)
        return said

    # the acts ------------------------------------------------------------------------------

    def nobody_is_signed_in(self) -> None:
        self.stops("Not signed in", "az login")

    def sign_in(self) -> None:
        for command in self.azure.sign_in():
            subprocess.run(
                [self.az, *command], env=self.environment, capture_output=True, check=True
            )

    def what_if_changes_nothing(self) -> None:
        said = self.succeeds("--what-if")
        expect("it shows the vault", f"kv-{NAME}" in said, said)
        expect("nothing was made", not self.azure.manager.subscription.resources)
        expect("nothing was registered", not self.azure.directory.changes)

    def rights_are_missing(self) -> None:
        manager = self.azure.manager
        granted, manager.permissions = manager.permissions, [READER]
        self.stops("roleAssignments/write", "Role Based Access Control")
        manager.permissions = granted
        expect("nothing was made", not manager.subscription.resources)

    def a_name_is_taken(self) -> None:
        taken = self.azure.manager.subscription.taken
        for name in (f"st{NAME}", f"kv-{NAME}", f"func-{NAME}"):
            taken.add(name)
            self.stops(name, "another 'name'")
            taken.clear()

    def each_step_fails_once(self) -> None:
        """Each run gets one step further; what is done is kept."""
        azure = self.azure
        azure.manager.registered.discard("Microsoft.EventGrid")
        for kind in (
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            "Microsoft.Storage/storageAccounts",
            "Microsoft.KeyVault/vaults",
            "Microsoft.Authorization/roleAssignments",
            "Microsoft.Web/sites",
            "Microsoft.Web/sites/config",
            "Microsoft.Consumption/budgets",
        ):
            error = ArmError("InternalServerError", f"{kind} is not to be had", 500)
            azure.manager.subscription.failing[kind.lower()] = error
            self.stops(f"{kind} is not to be had")
        expect("the provider was registered", "Microsoft.EventGrid" in azure.manager.registered)
        azure.site.failed_builds = 1
        self.stops("'az functionapp deployment source' failed")
        azure.directory.reset_to_nothing()
        for endpoint in (
            "POST applications",
            "POST servicePrincipals",
            "POST federatedIdentityCredentials",
        ):
            azure.directory.fail_next(1, "error", endpoint)
            self.stops("'az ad")

    def it_succeeds_in_the_end(self) -> None:
        azure = self.azure
        azure.manager.hidden_roles = 1
        azure.site.refused_publishes = 1
        azure.site.unwell = 1
        said = self.succeeds()
        for words in (
            "not visible yet",
            "InaccessibleStorageException",
            "/api/health answers 503",
        ):
            expect(f"it waited and said '{words}'", words in said, said)
        for words in ("Publisher verification", "/api/oauth/callback", "administrator's consent"):
            expect(f"it says what is left: '{words}'", words in said, said)
        self.the_registration_is_right()
        self.the_package_is_right()

    def the_registration_is_right(self) -> None:
        directory, subscription = self.azure.directory, self.azure.manager.subscription
        expect("there is one registration", len(directory.applications) == 1)
        made = next(iter(directory.applications.values()))
        redirect = "https://mail.quick3.test/api/oauth/callback"
        expect("the redirect URI", made["web"]["redirectUris"] == [redirect], made)
        expect("no secret", not made.get("passwordCredentials"), made)
        expect("several organisations", made["signInAudience"] == "AzureADMultipleOrgs", made)
        identity = subscription.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")[0]
        credential = directory.credentials[made["id"]]["managed-identity"]
        subject = identity["properties"]["principalId"]
        expect("the identity is the credential", credential["subject"] == subject, credential)
        issuer = f"/{subscription.tenant_id}/v2.0"
        expect("issued by the directory", credential["issuer"].endswith(issuer), credential)
        settings = subscription.of_type("Microsoft.Web/sites/config")[0]["properties"]
        expect("the app knows its id", settings["ENTRA_CLIENT_ID"] == made["appId"], settings)

    def the_package_is_right(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", *DEPLOYED],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        wanted = {*listed.stdout.split(), "build.env"}
        found = set(self.azure.site.contents())
        expect("the package holds what it should", found == wanted, sorted(found ^ wanted))

    def a_second_run_changes_nothing(self) -> None:
        azure = self.azure
        azure.manager.subscription.changes.clear()
        azure.directory.changes.clear()
        self.succeeds()
        changed = [one for one in azure.manager.subscription.changes if one[0] != "NoChange"]
        expect("no resource changes", not changed, changed)
        registered = azure.directory.changes
        expect("the registration does not change", not registered, registered)
        expect("the package is the same", azure.site.packages[-1] == azure.site.packages[-2])

    def removed_it_comes_back_with_its_vault(self) -> None:
        azure = self.azure
        status, said = self.run("remove", "--yes", NAME)
        expect("it is removed", status == 0, said)
        left = azure.manager.subscription.resources
        expect("nothing is left", not left, sorted(left))
        said = self.succeeds()
        expect("the vault is recovered", "is recovered with its secrets" in said, said)
        expect("the same registration", len(azure.directory.applications) == 1)

    def code_alone(self) -> None:
        self.azure.manager.subscription.changes.clear()
        self.succeeds("--code-only")
        expect("no resource was touched", not self.azure.manager.subscription.changes)


ACTS = (
    "nobody_is_signed_in",
    "sign_in",
    "what_if_changes_nothing",
    "rights_are_missing",
    "a_name_is_taken",
    "each_step_fails_once",
    "it_succeeds_in_the_end",
    "a_second_run_changes_nothing",
    "removed_it_comes_back_with_its_vault",
    "code_alone",
)


@contextlib.contextmanager
def timed(act: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"rehearse: {act.replace('_', ' ')} ...", flush=True)
    yield
    print(f"rehearse: {act.replace('_', ' ')}: as it should be ({time.monotonic() - began:.0f} s)")


def main() -> int:
    az = az_cli()
    with TemporaryDirectory() as name, Azure(Path(name)) as azure:
        rehearsal = Rehearsal(azure, az, Path(name))
        for act in ACTS:
            try:
                with timed(act):
                    getattr(rehearsal, act)()
            except RehearsalError as error:
                print(f"rehearse: {act} FAILED: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
