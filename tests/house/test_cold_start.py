"""A cold start pays for what its trigger uses, and for nothing else."""

import json

from tests.house.source import module_of, product_files, run_python

SETTINGS = {
    "PUBLIC_URL": "https://mail.example.com",
    "CALLER_ISSUER": "https://login.example.com",
    "CALLER_AUDIENCE": "api://mail",
    "ENTRA_CLIENT_ID": "11111111-1111-4111-8111-111111111111",
    "MANAGED_IDENTITY_CLIENT_ID": "22222222-2222-4222-8222-222222222222",
    "KEY_VAULT_URL": "https://vault.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}
HEAVY = (
    "azure.core",
    "azure.data",
    "azure.eventgrid",
    "azure.identity",
    "azure.keyvault",
    "azure.storage",
    "cryptography",
    "jinja2",
    "jwt",
    "msal",
    "requests",
    "urllib3",
)
INDEX = """
import json, sys
import function_app
print(json.dumps(sorted(sys.modules)))
"""
IMPORT_ALL = """
import importlib, sys
done = []
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "subprocess.", "os.mkdir")):
        done.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        done.append(f"open {arguments[0]} {arguments[1]}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in %r:
    importlib.import_module(name)
print("\\n".join(done))
"""


def test_indexing_the_app_imports_no_client_library() -> None:
    imported = json.loads(run_python(INDEX, SETTINGS))

    assert [name for name in imported if name.startswith(HEAVY)] == []


def test_indexing_the_app_imports_of_our_own_what_every_function_needs_and_no_more() -> None:
    imported = json.loads(run_python(INDEX, SETTINGS))

    assert [name for name in imported if name.startswith("shared.")] == [
        "shared.config",
        "shared.errors",
        "shared.identifiers",
        "shared.language",
        "shared.secrecy",
        "shared.wiring",
    ]


def test_importing_a_module_does_nothing() -> None:
    """No file written, no connection made, and no setting needed."""
    modules = [module_of(path) for path in product_files() if path.name != "function_app.py"]

    assert run_python(IMPORT_ALL % modules, {}).split() == []
