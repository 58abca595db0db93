"""The OpenAPI document: valid, complete, and what the service really serves."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.openapi.document import document
from tests.client import Api, request

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "https://mail.example"


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(dict[Hashable, Any](document(PUBLIC).items())).validate()


def test_every_route_of_the_functions_is_described_and_no_other() -> None:
    routes = set()
    for source in (ROOT / "functions").glob("*.py"):
        text = source.read_text()
        for route, methods in re.findall(r'route="([^"]+)",\s*methods=\[([^\]]+)\]', text):
            routes |= {(f"/{route}", m.strip(' "').lower()) for m in methods.split(",")}
    browser_only = {"/oauth/admin", "/oauth/assets/{name}", "/{*path}"}

    described = {
        (path, method)
        for path, item in document(PUBLIC)["paths"].items()
        for method in item
        if method != "parameters"
    }

    assert described == {(p, m) for p, m in routes if p not in browser_only}


def test_accounts_and_messages_look_as_described(api: Api) -> None:
    found = document(PUBLIC)
    account = api.add_connected_account()
    sent = api.post(
        f"/accounts/{account['id']}/messages",
        {"to": ["ola@kunde.no"], "subject": "Hei", "text": "Hei"},
        prefer="wait=10",
    )
    refused = api.post("/accounts", {"type": "imap", "colour": "blue"})

    for name, value in (
        ("Account", account),
        ("Message", sent.json),
        ("Problem", refused.json),
        ("Accounts", api.get("/accounts").json),
        ("Messages", api.get(f"/accounts/{account['id']}/messages").json),
        ("Checks", api.post(f"/accounts/{account['id']}/verify").json),
        ("Connect", api.post(f"/accounts/{account['id']}/connect").json),
        ("Health", api.get("/health").json),
    ):
        schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
        jsonschema.Draft202012Validator(schema).validate(value)


def test_the_document_its_page_and_the_problem_pages_are_open_to_all(api: Api) -> None:
    described = request("GET", f"{api.url}/api/openapi.json")
    page = request("GET", f"{api.url}/api/docs")
    problem = request(
        "GET",
        f"{api.url}/api/problems/smtp-auth-disabled-tenant",
        None,
        {"Accept-Language": "en"},
    )
    unknown = request("GET", f"{api.url}/api/problems/no-such-thing")

    assert described.json["openapi"] == "3.1.0"
    assert described.json["servers"][0]["url"].endswith("/api")
    assert "POST /accounts/{account_id}/messages" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (problem.status, unknown.status) == (200, 404)
    assert "SMTP" in problem.text
