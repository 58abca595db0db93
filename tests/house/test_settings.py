"""A setting that does not hold stops the start, and the message names it."""

import os
import subprocess
import sys

import pytest

from shared.config import SETTINGS as NAMES
from shared.config import STORAGE, Config, ConfigError
from tests.house.source import ROOT
from tests.house.test_cold_start import SETTINGS

CHECKED = [one for one in NAMES if not one.startswith(STORAGE)]


def fault(name: str, value: str) -> str:
    """Return what is said of the one setting that is wrong."""
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({**SETTINGS, name: value})
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CALLER_CUSTOMER_CLAIM", " ", "is blank"),
        ("CALLER_AUDIENCE", "", "is not set"),
        ("PRODUCT_NAME", " \n", "is blank"),
        ("PRODUCT_NAME", "Quick3\nBcc: x", "line break"),
        ("PRODUCT_NAME", "Quick\x7f3", "control character"),
        ("PRODUCT_NAME", "Quick\u20283", "line break"),
        ("PRODUCT_NAME", "Quick\udcff3", "control character"),
        ("PUBLIC_URL", "http://192.0.2.1", "http is for loopback hosts"),
        ("PUBLIC_URL", "http://mail.invalid", "http is for loopback hosts"),
        ("PUBLIC_URL", "https://mail.example/api", "without a path"),
        ("PUBLIC_URL", "mail.example", "is not a URL"),
        ("PUBLIC_URL", "https://kari:secret@mail.example", "is not a URL"),
        ("KEY_VAULT_URL", "https://vault.example/secrets", "without a path"),
        ("KEY_VAULT_URL", "https://vault.example?x=1", "is not a URL"),
        ("KEY_VAULT_URL", "https://vault.example/?", "is not a URL"),
        ("KEY_VAULT_URL", "http://vault.example", "is not a URL of https"),
        ("ENTRA_AUTHORITY", "https://login.example", "must end in the tenant"),
        ("ENTRA_AUTHORITY", "https://login.example/v2.0", "must end in the tenant"),
        ("ENTRA_AUTHORITY", "https://login.example/organizations/v2.0", "must end in the tenant"),
        ("EVENT_GRID_ENDPOINT", "https://[", "is not a URL of https"),
        ("SMTP_PORT", "smtp", "is not a TCP port"),
    ],
)
def test_a_wrong_setting_is_named_and_no_other(name: str, value: str, said: str) -> None:
    message = fault(name, value)

    assert message.startswith(f"The settings do not hold: {name} ")
    assert said in message
    assert [one for one in CHECKED if one in message] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://127.0.0.1:7071"),
        ("PUBLIC_URL", "http://localhost:7071/"),
        ("PUBLIC_URL", "http://[::1]:7071"),
        ("PRODUCT_NAME", "Blåbær & Sønn"),
        ("KEY_VAULT_URL", "https://vault.example/"),
        ("ENTRA_AUTHORITY", "https://login.example/organizations/"),
        ("EVENT_GRID_ENDPOINT", "https://events.example/api/events"),
        ("CALLER_CUSTOMER_CLAIM", ""),
    ],
)
def test_a_setting_that_holds_is_taken(name: str, value: str) -> None:
    assert Config.from_environ({**SETTINGS, name: value})


def test_a_start_that_is_refused_says_one_line_with_every_fault() -> None:
    wrong = {"PUBLIC_URL": "http://192.0.2.1", "CALLER_CUSTOMER_CLAIM": " ", "SMTP_PORT": "0"}
    command = [sys.executable, "-m", "local.host", "--port", "0"]

    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **SETTINGS, **wrong},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert line.startswith("the host cannot start: ConfigError: The settings do not hold: ")
    assert all(name in line for name in wrong)
