"""Rehearses the deployment: the real az CLI and the real infra/deploy against a local Azure.

What is real: az (from the package index, kept in .cache), its sign-in by managed identity, every
command that infra/deploy gives it, the templates' parameters, the zip. What stands in: the Bicep
compiler (local.arm.bicep, found by az where it keeps its own), Resource Manager, Graph, the
deployment service and the application. Two stories are played side by side, each with an Azure of
its own, because az itself waits a minute at each publishing.
"""

import json
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from local.arm.azure import ROOT, Azure
from local.arm.subscription import ArmError

PINNED = ROOT / "tests" / "infra" / "azure-cli.txt"
VENV = ROOT / ".cache" / "azure-cli"
NAME = "rehearsal"
DEPLOYED = (
    *("functions", "shared", "function_app.py", "host.json"),
    *("requirements.txt", "constraints.txt"),
)
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
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        expect("pip installs the az CLI", done.returncode == 0, done.stderr[-2000:])
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
        """Run one of the scripts in infra/ as an operator does; its status and its words."""
        command = [sys.executable, str(ROOT / "infra" / script), *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def deploy(self, *arguments: str) -> tuple[int, str]:
        return self.run("deploy", str(self.parameters), *arguments)

    def succeeds(self, *arguments: str) -> str:
        status, said = self.deploy(*arguments)
        expect("the deployment succeeds", status == 0, said)
        return said

    def stops(self, *words: str) -> str:
        """Deploy and expect it to stop, with words that say why and what to do."""
        status, said = self.deploy()
        expect("the deployment stops", status == 1, said)
        for one in (*words, "What to do:"):
            expect(f"it says '{one}'", one in said, said)
        return said

    # from nothing --------------------------------------------------------------------------

    def nobody_is_signed_in(self) -> None:
        self.stops("Not signed in", "az login")

    def sign_in(self) -> None:
        for command in self.azure.sign_in():
            subprocess.run(
                [self.az, *command], env=self.environment, capture_output=True, check=True
            )

    def tools_are_missing(self) -> None:
        self.azure.compiler(says="Bicep CLI version 0.30.3 (stand-in)")
        self.stops("too old: 0.30.3", "az bicep upgrade")
        self.azure.compiler_path.unlink()
        self.stops("cannot run the Bicep compiler", "az bicep install")
        self.azure.compiler()

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

    def a_deleted_vault_is_somebody_elses(self) -> None:
        deleted = self.azure.manager.subscription.deleted_vaults
        home = "/subscriptions/x/resourceGroups/rg-other/providers/Microsoft.KeyVault/vaults"
        deleted[f"kv-{NAME}"] = {"id": f"{home}/kv-{NAME}", "location": "norwayeast"}
        self.stops("belongs elsewhere", "rg-other", "another 'name'")
        deleted.clear()
        expect("nothing was made", not self.azure.manager.subscription.resources)

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
        self.stops("'az functionapp deployment source' failed", "No matching distribution")
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
        """However it was made: by an administrator, by az, by the Graph extension."""
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

    def nothing_lists_keys(self) -> None:
        """Nothing asks for a key but az itself, at publishing."""
        asked = {one.path for one in self.azure.manager.asked if one.method == "POST"}
        keys = {path for path in asked if "list" in path.rpartition("/")[2].lower()}
        site = self.azure.manager.subscription.of_type("Microsoft.Web/sites")[0]["id"]
        az_itself = {f"{site}/config/appsettings/list", f"{site}/host/default/listkeys"}
        expect("no key is listed", keys <= az_itself, sorted(keys - az_itself))

    def the_guides_commands_are_azs(self) -> None:
        """Every az command in the guide exists, with every option it is given there."""
        guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
        commands = sorted(set(re.findall(r"`(az [^`…]+)`", guide)))
        expect("the guide has commands", len(commands) >= 10, commands)
        for command in commands:
            words = command.split(" --")[0].split()[1:]
            asked = [self.az, *words, "--help"]
            done = subprocess.run(
                asked, env=self.environment, capture_output=True, text=True, check=False
            )
            expect(f"az knows '{command}'", done.returncode == 0, done.stderr)
            for option in re.findall(r"--[a-z-]+", command):
                expect(f"'{command}'", f" {option} " in done.stdout, f"az knows no {option}")

    # with an administrator, and later ------------------------------------------------------

    def an_administrator_registers_the_app(self) -> None:
        """Who deploys may not register: what the script says to hand on is run as it stands."""
        directory = self.azure.directory
        directory.may_register = False
        said = self.stops("Insufficient privileges", "infra/register", "--client-id")
        directory.may_register = True
        command = re.search(r"^ +infra/register (.+)$", said, re.MULTILINE)
        expect("it says what to hand on", command, said)
        assert command is not None
        status, said = self.run("register", *shlex.split(command[1]))
        expect("the administrator's run succeeds", status == 0, said)
        directory.may_register = False
        directory.changes.clear()
        client_id = said.split()[-1]
        self.succeeds("--client-id", client_id)
        expect("the registration was left alone", not directory.changes, directory.changes)
        settings = self.azure.manager.subscription.of_type("Microsoft.Web/sites/config")[0]
        expect("the app has the id", settings["properties"]["ENTRA_CLIENT_ID"] == client_id)

    def a_second_run_changes_nothing(self) -> None:
        azure = self.azure
        azure.directory.may_register = True
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
        status, said = self.run("remove", str(self.parameters))
        expect("without an answer nothing is removed", status == 1, said)
        expect("it says what to do", f"--yes {NAME}" in said, said)
        status, said = self.run("remove", str(self.parameters), "--yes", NAME)
        expect("it is removed", status == 0, said)
        left = azure.manager.subscription.resources
        expect("nothing is left", not left, sorted(left))
        azure.site.failed_builds = 1
        said = self.stops(
            "is recovered with its secrets", "pip install failed", "log deployment show"
        )
        expect("the vault is there", not azure.manager.subscription.deleted_vaults)
        expect("the same registration", len(azure.directory.applications) == 1)

    def code_alone(self) -> None:
        self.azure.manager.subscription.changes.clear()
        self.succeeds("--code-only")
        expect("no resource was touched", not self.azure.manager.subscription.changes)

    def removed_with_the_registration(self) -> None:
        status, said = self.run(
            "remove", str(self.parameters), "--yes", NAME, "--app-registration"
        )
        expect("it is removed", status == 0, said)
        left = self.azure.manager.subscription.resources
        expect("no resource is left", not left, sorted(left))
        left = self.azure.directory.applications
        expect("no registration is left", not left, sorted(left))

    def the_graph_extension_registers_the_same(self) -> None:
        """The build fails, which spares the minute az waits: the registration is made by then."""
        azure = self.azure
        for changed in (True, False):
            azure.directory.changes.clear()
            azure.site.failed_builds = 1
            status, said = self.deploy("--graph-extension")
            expect("it comes as far as the build", status == 1 and "pip install" in said, said)
            expect("the second run changes nothing", bool(azure.directory.changes) is changed)
            self.the_registration_is_right()


STORIES = {
    "from nothing": (
        "nobody_is_signed_in",
        "sign_in",
        "tools_are_missing",
        "what_if_changes_nothing",
        "rights_are_missing",
        "a_name_is_taken",
        "a_deleted_vault_is_somebody_elses",
        "each_step_fails_once",
        "it_succeeds_in_the_end",
        "nothing_lists_keys",
        "the_guides_commands_are_azs",
    ),
    "later": (
        "sign_in",
        "an_administrator_registers_the_app",
        "a_second_run_changes_nothing",
        "removed_it_comes_back_with_its_vault",
        "code_alone",
        "removed_with_the_registration",
        "the_graph_extension_registers_the_same",
    ),
}


def say(story: str, act: str, what: str) -> None:
    print(f"rehearse ({story}): {act.replace('_', ' ')} {what}", flush=True)


def play(story: str, az: Path) -> bool:
    """Play one story in an Azure of its own; tells whether all was as it should be."""
    with TemporaryDirectory() as name, Azure(Path(name)) as azure:
        rehearsal = Rehearsal(azure, az, Path(name))
        for act in STORIES[story]:
            began = time.monotonic()
            say(story, act, "...")
            try:
                getattr(rehearsal, act)()
                crashes = [*azure.manager.crashes, *azure.directory.crashes, *azure.site.crashes]
                expect("the stand-ins hold", not crashes, crashes)
            except (RehearsalError, subprocess.CalledProcessError) as error:
                say(story, act, f"FAILED: {error}")
                return False
            say(story, act, f"as it should be ({time.monotonic() - began:.0f} s)")
    return True


def main() -> int:
    az = az_cli()
    with ThreadPoolExecutor(len(STORIES)) as stage:
        played = [stage.submit(play, story, az) for story in STORIES]
        return 0 if all(one.result() for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())
