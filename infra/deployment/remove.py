"""Removes an installation: the resource group and, on request, the app registration."""

import argparse
from pathlib import Path

from . import checks, parameters, provision
from .az import DeploymentError, exit_status, say, step


def main(given: list[str]) -> int:
    """Remove what is asked for and return the exit status."""
    parser = argparse.ArgumentParser(prog="infra/remove", description=__doc__)
    parser.add_argument("parameters", type=Path, help="infra/parameters/<installation>.json")
    parser.add_argument("--subscription", help="id or name; without it az's current one")
    parser.add_argument("--app-registration", action="store_true", help="delete that as well")
    parser.add_argument("--yes", metavar="NAME", help="the installation's name: do not ask")
    asked = parser.parse_args(given)
    return exit_status(lambda: remove(asked))


def remove(asked: argparse.Namespace) -> None:
    """Ask, then delete; what does not exist is no fault."""
    values = parameters.read(asked.parameters)
    with step("Checking the sign-in"):
        az, _, _ = checks.signed_in(asked.subscription)
    say(f"\nThis deletes {values.group}: every mailbox's records and all mail that waits there.")
    say(f"The vault {values.vault} can be recovered for 90 days; nothing else can.\n")
    if (asked.yes or answered(f"Type {values.name} to go on: ")) != values.name:
        raise DeploymentError(
            "That was not the name; nothing has been deleted.",
            f"Run it again and type {values.name}, or give --yes {values.name}.",
        )
    client_id = provision.known_client_id(az, values)
    with step(f"Deleting {values.group}"):
        if az.find("group", "show", "--name", values.group) is not None:
            az.run("group", "delete", "--name", values.group, "--yes")
    if asked.app_registration and client_id:
        with step(f"Deleting the app registration {client_id}"):
            if az.find("ad", "app", "show", "--id", client_id, anywhere=True) is not None:
                az.run("ad", "app", "delete", "--id", client_id, anywhere=True)
    elif client_id:
        say(f"The app registration {client_id} is still there; mailbox owners' consents with it.")


def answered(question: str) -> str:
    """Ask at the terminal; where there is none the answer is empty."""
    try:
        return input(question)
    except EOFError:
        return ""
