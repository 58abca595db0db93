"""The whole way from a clone to a running application; every step can be repeated."""

import argparse
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from . import checks, package, parameters, provision, publish, registration
from .az import Az, AzError, DeploymentError, Json, exit_status, member, say, step, text

ROOT = Path(__file__).resolve().parent.parent.parent


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra/deploy", description=__doc__)
    parser.add_argument("parameters", type=Path, help="infra/parameters/<installation>.json")
    parser.add_argument("--subscription", help="id or name; without it az's current one")
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--what-if", action="store_true", help="show what would change, change nothing"
    )
    part.add_argument(
        "--code-only", action="store_true", help="publish the code, leave the resources alone"
    )
    made_by = parser.add_mutually_exclusive_group()
    made_by.add_argument(
        "--graph-extension",
        action="store_true",
        help="make the app registration with entra.bicep instead of 'az ad'",
    )
    made_by.add_argument(
        "--client-id", help="the app registration exists (infra/register made it); leave it alone"
    )
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Run the deployment and return the exit status."""
    asked = arguments(given)
    return exit_status(lambda: deploy(asked))


def deploy(asked: argparse.Namespace) -> None:
    """Check, provision, publish, try, and say what is left for people."""
    with step("Reading the parameters"):
        values = parameters.read(asked.parameters)
    with step("Checking the sign-in"):
        az, subscription, tenant = checks.signed_in(asked.subscription)
    if not asked.code_only:
        resources(az, subscription, tenant, values, asked)
    if asked.what_if:
        return
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "package.zip"
        with step("Packing what .funcignore lets through"):
            say(f"  {len(package.make(ROOT, archive))} files, {archive.stat().st_size} bytes")
        with step("Publishing; the remote build takes some minutes"):
            publish.publish(az, values.group, values.application, archive)
    with step("Trying the application"):
        publish.smoke_test(publish.address(az, values.group, values.application))
    say(LEFT.format(public_url=values.public_url, product=values.product_name))


def resources(
    az: Az,
    subscription: str,
    tenant: str,
    values: parameters.Parameters,
    asked: argparse.Namespace,
) -> None:
    """Bring the resources into being, or show what that would change."""
    create_mode = prepare(az, subscription, values, change=not asked.what_if)
    filled: dict[str, Json] = {
        "vaultCreateMode": create_mode,
        "budgetStartDate": provision.budget_start(az, subscription, values),
    }
    if asked.what_if:
        client_id = asked.client_id or provision.known_client_id(az, values) or provision.NOBODY
        with step("Asking what would change"):
            say(provision.preview(az, values, filled | {"entraClientId": client_id}))
        return
    with step("Making the resource group and the identity"):
        principal = provision.identity(az, values)
    with step("Making the app registration"):
        try:
            client_id = app_registration(az, tenant, principal, values, asked)
        except AzError as error:
            error.todo = not_allowed(values, principal)
            raise
        say(f"  client id {client_id}")
    with step("Making everything else; the first time takes some minutes"):
        outputs = provision.everything(az, values, filled | {"entraClientId": client_id})
    if (made := text(outputs, "publicUrl", "value")) != values.public_url:
        raise DeploymentError(
            f"The function app is at {made}, the app registration expects {values.public_url}.",
            f"Set 'publicUrl' to {made}, or to your own domain once it leads there; run again.",
        )
    with step("Waiting for the role assignments"):
        made_roles = member(outputs, "roleAssignmentIds", "value")
        provision.wait_for_roles(az, principal, made_roles)


def prepare(az: Az, subscription: str, values: parameters.Parameters, *, change: bool) -> str:
    """Check what has to hold beforehand; return the create mode of the vault."""
    with step("Checking the tools, rights, resource providers and names"):
        checks.tools(az)
        checks.rights(az, subscription)
        create_mode = checks.names(az, subscription, values)
        for provider in checks.missing_providers(az, values):
            say(f"  resource provider {provider} has to be registered")
            if change:
                az.run("provider", "register", "--namespace", provider, "--wait")
    return create_mode


def app_registration(
    az: Az, tenant: str, principal: str, values: parameters.Parameters, asked: argparse.Namespace
) -> str:
    """Return the client id of the app registration, made in the way that was asked for."""
    if asked.client_id:
        return str(asked.client_id)
    if asked.graph_extension:
        return provision.entra_by_template(az, values)
    sign_in = text(az.ask("cloud", "show", anywhere=True), "endpoints", "activeDirectory")
    wanted = registration.Wanted(
        display_name=values.product_name,
        redirect_uri=f"{values.public_url}/api/oauth/callback",
        personal_accounts=values.personal_accounts,
        issuer=f"{sign_in.rstrip('/')}/{tenant}/v2.0",
        subject=principal,
    )
    return registration.register(az, wanted)


def not_allowed(values: parameters.Parameters, principal: str) -> str:
    """Say what to do when the app registration could not be made."""
    command = [
        *("infra/register", "--product-name", values.product_name),
        *("--public-url", values.public_url, "--principal-id", principal),
        *(("--personal-accounts",) if values.personal_accounts else ()),
    ]
    return (
        "Mend what az names and run the same command again. If you may not make app "
        f"registrations, ask an administrator of the directory to run\n  {shlex.join(command)}\n"
        "and run this command again with the --client-id that it prints."
    )


LEFT = """
The application is up; its interface is {public_url}/api. What is left for people:

1. Publisher verification, or many organisations' users cannot consent to {product}:
   Entra admin centre > App registrations > {product} > Branding & properties.
   https://learn.microsoft.com/entra/identity-platform/publisher-verification-overview
2. If 'publicUrl' names a domain of your own, it has to lead to the function app.
   https://learn.microsoft.com/azure/app-service/app-service-web-tutorial-custom-domain
   The app registration's redirect URI is {public_url}/api/oauth/callback.
3. Tell the frontend the address of the interface: {public_url}/api (described at /api/docs).
4. Connect one mailbox of your own and send the test message.
5. Customers whose users may not consent themselves need an administrator's consent: the page that
   their users see holds the link to pass on.
   https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
"""
