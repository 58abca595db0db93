"""How a host starts, refuses to start, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import requests

from local.azurite import Azurite
from local.host.process import ROOT, HostProcess, start
from tests.host.sampling import SAMPLE, SETTINGS

HOST_JSON = '{"version": "2.0"}'
HTTP_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
TIMER_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
def nightly(timer: func.TimerRequest) -> None: ...
"""
BLOB_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.blob_trigger(arg_name="blob", path="a/b", connection="AzureWebJobsStorage")
def stored(blob: func.InputStream) -> None: ...
"""


def refusal(app: Path, files: dict[str, str], port: int = 0) -> list[str]:
    """Start a host that cannot start; give the lines it says."""
    for name, content in files.items():
        (app / name).write_text(content)
    environment = {key: value for key, value in os.environ.items() if "AzureWebJobs" not in key}
    command = [sys.executable, "-m", "local.host", "--port", str(port), "--app", str(app)]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    # azure-functions itself warns of an auth level in an app without HTTP.
    return [line for line in ended.stderr.splitlines() if "Auth level" not in line]


def test_an_app_that_fails_to_import_is_refused_with_its_own_words(tmp_path: Path) -> None:
    app = "raise RuntimeError('PUBLIC_URL is missing; SMTP_PORT is no number')"

    first, *trace = refusal(tmp_path, {"host.json": HOST_JSON, "function_app.py": app})

    assert first == (
        "the host cannot start: RuntimeError: PUBLIC_URL is missing; SMTP_PORT is no number"
    )
    assert any("function_app.py" in line for line in trace)


def test_what_an_app_has_to_say_for_itself_is_all_that_is_said(tmp_path: Path) -> None:
    app = "class SettingsError(Exception): ...\n\nraise SettingsError('PUBLIC_URL is missing')"

    said = refusal(tmp_path, {"host.json": HOST_JSON, "function_app.py": app})

    assert said == ["the host cannot start: SettingsError: PUBLIC_URL is missing"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"host.json": HOST_JSON}, "there is no function_app.py"),
        ({"function_app.py": HTTP_APP}, "host.json is missing"),
        ({"host.json": "{", "function_app.py": HTTP_APP}, "host.json: "),
        ({"host.json": HOST_JSON, "function_app.py": TIMER_APP}, "AzureWebJobsStorage"),
        ({"host.json": HOST_JSON, "function_app.py": BLOB_APP}, "'blobTrigger'"),
        (
            {"host.json": HOST_JSON, "function_app.py": HTTP_APP.replace('"hello"', '"{id:odd}"')},
            "unknown route constraint 'odd'",
        ),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    (line,) = refusal(tmp_path, files)

    assert line.startswith("the host cannot start: ")
    assert said in line


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        files = {"host.json": HOST_JSON, "function_app.py": HTTP_APP}

        (line,) = refusal(tmp_path, files, port)

    assert line == f"the host cannot start: port {port} is taken: Address already in use"


def test_an_app_without_queues_and_timers_needs_no_storage(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(
        json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": ""}}})
    )
    (tmp_path / "function_app.py").write_text(HTTP_APP)

    host = start({"AzureWebJobsStorage": ""}, app=tmp_path)
    try:
        assert requests.get(f"{host.url}/hello", timeout=10).text == "hello"
    finally:
        status = host.stop()

    assert (status, host.functions) == (0, ("hello",))


def test_the_host_says_how_it_is(host: HostProcess) -> None:
    status = requests.get(f"{host.url}/admin/host/status", timeout=10).json()
    functions = requests.get(f"{host.url}/admin/functions", timeout=10).json()

    assert status["state"] == "Running"
    assert status["version"] == f"azure-functions-runtime {version('azure-functions-runtime')}"
    assert {each["name"] for each in functions} == set(host.functions)


def test_what_runs_is_finished_before_the_host_stops(storage: Azurite) -> None:
    settings = {
        **SETTINGS,
        "WORK_QUEUE": "stopping",
        "AzureWebJobsStorage": storage.connection_string,
    }
    host = start(settings, app=SAMPLE)
    answers: list[str] = []
    request = threading.Thread(
        target=lambda: answers.append(
            requests.get(f"{host.url}/api/slow?seconds=1", timeout=10).text
        )
    )
    request.start()
    time.sleep(0.4)

    host.process.send_signal(signal.SIGTERM)
    request.join()

    assert answers == ["done"]
    assert host.stop() == 0
