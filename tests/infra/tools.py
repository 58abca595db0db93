"""Runs what needs packages of its own on the Bicep: checkov, and the published resource models.

They live in ``.cache/infra-checks``, apart from ``.venv``: together 350 MB that no test needs.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.arm.bicep.parser import parse
from local.arm.bicep.syntax import Declaration, Literal, Node, Object, Property, walk

ROOT = Path(__file__).resolve().parent.parent.parent
INFRA = ROOT / "infra"
PINNED = ROOT / "tests" / "infra" / "tools.txt"
VENV = ROOT / ".cache" / "infra-checks"

UNREADABLE = "entra.bicep"  # checkov's parser does not know 'extension'; ours reads the file
SKIPPED = {
    "CKV_AZURE_13": "App Service authentication: callers bring tokens that the product checks",
    "CKV_AZURE_17": "client certificates: a public interface, callers bring tokens",
    "CKV_AZURE_35": "default network rule: an expression; Deny with privateNetworking",
    "CKV_AZURE_63": "HTTP logging of App Service: Application Insights has the requests",
    "CKV_AZURE_65": "detailed error pages of App Service: they must not be shown",
    "CKV_AZURE_66": "failed request tracing of App Service: not there on Flex Consumption",
    "CKV_AZURE_80": ".NET version: this is Python",
    "CKV_AZURE_88": "Azure Files: nothing is kept on the instances",
    "CKV_AZURE_109": "vault firewall: an expression; Deny with privateNetworking",
    "CKV_AZURE_193": "public access of the topic: an expression; Disabled with privateNetworking",
    "CKV_AZURE_206": "replication: a parameter, limited to what replicates",
    "CKV_AZURE_212": "minimum instances: alwaysReady, a parameter",
    "CKV_AZURE_213": "health check path: not there on Flex Consumption; /api/health is a function",
    "CKV_AZURE_222": "public access of the application: browsers and Microsoft have to reach it",
    "CKV_AZURE_225": "zone redundancy: a parameter",
}
PACKAGES = {
    "Microsoft.Insights/components": "applicationinsights",
    "Microsoft.Network/privateDnsZones": "privatedns",
    "Microsoft.Authorization": "authorization",
    "Microsoft.Consumption": "consumption",
    "Microsoft.EventGrid": "eventgrid",
    "Microsoft.Insights": "monitor",
    "Microsoft.KeyVault": "keyvault",
    "Microsoft.ManagedIdentity": "msi",
    "Microsoft.Network": "network",
    "Microsoft.OperationalInsights": "loganalytics",
    "Microsoft.Storage": "storage",
    "Microsoft.Web": "web",
}
FREE_KEYS = {"spent80", "expected100"}  # names of our own choice in a map
UNPUBLISHED = {"categoryGroup"}  # the models of azure-mgmt-monitor are older than the resource
LANGUAGE_KEYS = {"parent", "scope", "dependsOn"}
MODEL_NAMES = re.compile(
    r'^    (\w+): .*?=\s*rest_(?:field|discriminator)\((?:\s*name="([^"]+)")?', re.MULTILINE
)
OLDER_MODEL_NAMES = re.compile(r'"key":\s*"([^"]+)"')


def install() -> None:
    """Install the tools once."""
    stamp, wanted = VENV / "installed.txt", PINNED.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print("installing checkov and the resource models (350 MB, once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(PINNED)]
    subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stamp.write_text(wanted, encoding="utf-8")


def checkov_faults() -> Iterator[str]:
    """Yield what checkov finds and what it could not read; it ends well when it reads nothing."""
    command = [str(VENV / "bin" / "checkov"), "--directory", str(INFRA), "--framework", "bicep"]
    command += ["--skip-download", "--output", "json", "--compact", "--soft-fail"]
    command += ["--skip-path", UNREADABLE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    if not isinstance(report, dict) or "results" not in report:
        yield f"checkov read nothing: {done.stdout[:200]}"
        return
    summary = report["summary"]
    if summary["parsing_errors"] or not summary["passed"]:
        yield f"checkov could not read everything: {summary}"
    failed = report["results"]["failed_checks"]
    for one in failed:
        if one["check_id"] not in SKIPPED:
            yield f"{one['file_path']}: {one['check_id']} {one['check_name']} ({one['resource']})"
    for unneeded in sorted(set(SKIPPED) - {one["check_id"] for one in failed}):
        yield f"{unneeded} no longer fails: take it out of SKIPPED"


def published_names(package: str) -> set[str]:
    """Return every property name that the models of one resource provider know."""
    folders = VENV.glob(f"lib/python*/site-packages/azure/mgmt/{package}")
    names: set[str] = set()
    for path in (path for folder in folders for path in folder.rglob("*models*.py")):
        text = path.read_text(encoding="utf-8")
        names |= {found[2] or found[1] for found in MODEL_NAMES.finditer(text)}
        for key in OLDER_MODEL_NAMES.findall(text):
            plain = key.replace("\\\\.", "\0")
            names |= {name.replace("\0", ".") for name in plain.split(".")}
    return names


def keys(declared: Declaration) -> Iterator[tuple[str, int]]:
    """Yield the property names that a resource's body uses, with their lines."""
    body = declared.value
    if not isinstance(body, Object):
        return
    for top in body.properties:
        name = top.key.value if isinstance(top.key, Literal) else None
        if name in LANGUAGE_KEYS or name == "tags":
            continue
        yield str(name), top.line
        if name == "properties" and _is_settings(declared):
            continue
        yield from _inner(top.value)


def _is_settings(declared: Declaration) -> bool:
    return declared.type.startswith("Microsoft.Web/sites/config@")


def _inner(node: Node) -> Iterator[tuple[str, int]]:
    for one in walk(node):
        if isinstance(one, Property) and isinstance(one.key, Literal):
            yield str(one.key.value), one.line


def name_faults() -> Iterator[str]:
    """Yield the property names in the Bicep that no published model knows."""
    for path in sorted(INFRA.rglob("*.bicep")):
        if path.name == UNREADABLE:
            continue
        for declared in parse(path).of("resource"):
            kind = declared.type.partition("@")[0]
            package = next((to for of, to in PACKAGES.items() if kind.startswith(of)), None)
            if package is None:
                continue
            known = published_names(package) | FREE_KEYS | UNPUBLISHED
            for name, line in keys(declared):
                if name not in known:
                    yield f"{path.relative_to(ROOT)}:{line}: {kind} knows no '{name}'"


def main() -> int:
    install()
    faults = [*checkov_faults(), *name_faults()]
    for one in faults:
        print(one, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
