"""The app registration alone, for a directory administrator who hands on its client id."""

import argparse

from . import checks
from .az import exit_status, say, step, text
from .registration import Wanted, register


def main(given: list[str]) -> int:
    """Make or mend the registration, print its client id, return the exit status."""
    parser = argparse.ArgumentParser(prog="infra/register", description=__doc__)
    parser.add_argument("--product-name", required=True, help="what mailbox owners are shown")
    parser.add_argument("--public-url", required=True, help="https://host, without /api")
    parser.add_argument("--principal-id", required=True, help="object id of the managed identity")
    parser.add_argument("--personal-accounts", action="store_true")
    parser.add_argument("--client-id", help="mend this registration instead of looking by name")
    asked = parser.parse_args(given)
    return exit_status(lambda: make(asked))


def make(asked: argparse.Namespace) -> None:
    """Make or mend the registration in the directory of the sign-in."""
    with step("Checking the sign-in"):
        az, _, tenant = checks.signed_in(None)
    with step("Making the app registration"):
        sign_in = text(az.ask("cloud", "show", anywhere=True), "endpoints", "activeDirectory")
        wanted = Wanted(
            display_name=asked.product_name,
            redirect_uri=f"{asked.public_url}/api/oauth/callback",
            personal_accounts=asked.personal_accounts,
            issuer=f"{sign_in.rstrip('/')}/{tenant}/v2.0",
            subject=asked.principal_id,
        )
        client_id = register(az, wanted, client_id=asked.client_id)
    say(f"\nGive this to whoever deploys: --client-id {client_id}")
