"""Runs the az CLI and turns what it says into values and failures that tell what to do."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

type Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

NOT_FOUND = 3
"""The exit status of az when what was asked for does not exist."""


class DeploymentError(Exception):
    """The deployment cannot go on; *todo* is what the operator does about it."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


class AzError(DeploymentError):
    """az ended with an error; *said* is what it wrote."""

    def __init__(self, command: str, status: int, said: str) -> None:
        super().__init__(
            f"'{command}' failed: {said or f'exit status {status}'}",
            "Mend what az names and run the same command again: what is done is not done twice.",
        )
        self.status = status
        self.said = said


class Az:
    """The az CLI, bound to one subscription."""

    def __init__(self, subscription: str | None = None) -> None:
        if not (program := shutil.which("az")):
            raise DeploymentError(
                "The az CLI is not installed.",
                "Install it (https://aka.ms/azure-cli), then run 'az login'.",
            )
        self.program = program
        self.subscription = subscription

    def run(self, *arguments: str, anywhere: bool = False) -> str:
        """Run az and return what it wrote; *anywhere* leaves the subscription out."""
        command = [self.program, *arguments, "--only-show-errors"]
        if self.subscription and not anywhere:
            command += ["--subscription", self.subscription]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )  # without an input az says what it would have asked for, instead of waiting unseen
        if done.returncode:
            shown = " ".join(["az", *arguments[:3]])
            raise AzError(shown, done.returncode, done.stderr.strip())
        return done.stdout

    def ask(self, *arguments: str, anywhere: bool = False) -> Json:
        """Run az and return its answer."""
        answer = self.run(*arguments, "--output", "json", anywhere=anywhere)
        value: Json = json.loads(answer) if answer.strip() else None
        return value

    def find(self, *arguments: str, anywhere: bool = False) -> Json:
        """Return az's answer, or None when what is asked for does not exist."""
        try:
            return self.ask(*arguments, anywhere=anywhere)
        except AzError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def get(self, path: str) -> Json:
        """GET a resource that az has no command for; None when it does not exist."""
        try:
            return self.ask("rest", "--method", "get", "--url", path)
        except AzError as error:
            if error.said.startswith("ERROR: Not Found("):
                return None
            raise

    def post(self, path: str, body: Json) -> Json:
        """POST to a resource that az has no command for."""
        return self.ask("rest", "--method", "post", "--url", path, "--body", json.dumps(body))


def member(value: Json, *path: str) -> Json:
    """Return what lies at *path* in *value*, or None."""
    for one in path:
        value = value.get(one) if isinstance(value, dict) else None
    return value


def text(value: Json, *path: str) -> str:
    """Return the text at *path* in *value*, or an empty one."""
    found = member(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Json) -> list[Json]:
    """Return *value* when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def exit_status(work: Callable[[], None]) -> int:
    """Do *work*; show what stopped it and what to do about that, and return the exit status."""
    try:
        work()
    except DeploymentError as error:
        sys.stderr.write(f"\nStopped. {error}\nWhat to do: {error.todo}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped by you.\nWhat to do: run the same command again to go on.\n")
        return 130
    return 0


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a step and how long it took."""
    say(f"- {what}")
    began = time.monotonic()
    yield
    say(f"  done ({time.monotonic() - began:.0f} s)")


def patiently(
    attempt: Callable[[], str],
    *,
    minutes: float,
    first: float = 5,
    longest: float = 60,
    todo: str = "Run the same command again in some minutes; it goes on from here.",
) -> None:
    """Call *attempt* until it returns nothing; what it returns is why it has to wait.

    The pause doubles from *first* to *longest* seconds. After *minutes* raises DeploymentError,
    with *todo* as what the operator does.
    """
    end, pause = time.monotonic() + minutes * 60, first
    while reason := attempt():
        if time.monotonic() + pause > end:
            raise DeploymentError(f"Still not so after {minutes:.0f} minutes: {reason}", todo)
        say(f"  waiting {pause:.0f} s: {reason}")
        time.sleep(pause)
        pause = min(pause * 2, longest)
