"""The operator's answers: one parameters file per installation, checked before Azure is asked."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .az import DeploymentError, Json, member, text

REQUIRED = (
    "name",
    "location",
    "productName",
    "allowedOrigins",
    "callerIssuer",
    "callerAudience",
    "alertEmails",
    "monthlyBudget",
)
MAIN = Path(__file__).resolve().parent.parent / "main.bicep"
FILLED_IN = ("entraClientId", "budgetStartDate", "vaultCreateMode")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The values of one installation, and the names that follow from them."""

    values: dict[str, Json]

    @property
    def name(self) -> str:
        return text(self.values, "name")

    @property
    def location(self) -> str:
        return text(self.values, "location")

    @property
    def product_name(self) -> str:
        return text(self.values, "productName")

    @property
    def group(self) -> str:
        return f"rg-{self.name}"

    @property
    def application(self) -> str:
        return f"func-{self.name}"

    @property
    def storage(self) -> str:
        return f"st{self.name}"

    @property
    def vault(self) -> str:
        return f"kv-{self.name}"

    @property
    def public_url(self) -> str:
        """What the redirect URI begins with; known before the function app exists."""
        return text(self.values, "publicUrl") or f"https://{self.application}.azurewebsites.net"

    @property
    def personal_accounts(self) -> bool:
        return self.values.get("personalAccounts") is True

    @property
    def private(self) -> bool:
        return self.values.get("privateNetworking") is True

    def write(self, path: Path, *names: str, **filled: Json) -> None:
        """Write a parameters file: the *names* given (all when none is) and those *filled* in."""
        kept = {name: self.values[name] for name in names or self.values if name in self.values}
        values = {name: {"value": value} for name, value in (kept | filled).items()}
        document = {"contentVersion": "1.0.0.0", "parameters": values}
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def read(path: Path) -> Parameters:
    """Read the file at *path*; raises DeploymentError that names everything wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeploymentError(
            f"{path} cannot be read: {error}",
            "Copy infra/parameters/production.json and fill it in.",
        ) from error
    entries = member(document, "parameters")
    values = (
        {name: member(one, "value") for name, one in entries.items()}
        if isinstance(entries, dict)
        else {}
    )
    if faults := list(_faults(values)):
        raise DeploymentError(
            f"{path} does not hold: " + "; ".join(faults) + ".", f"Mend {path} and run again."
        )
    return Parameters(values)


def _faults(values: dict[str, Json]) -> list[str]:
    faults = [f"'{name}' is missing" for name in REQUIRED if values.get(name) in (None, "", [])]
    faults += [f"'{name}' is filled in by infra/deploy" for name in FILLED_IN if name in values]
    known = re.findall(r"^param (\w+) ", MAIN.read_text(encoding="utf-8"), re.MULTILINE)
    faults += [f"'{name}' is no parameter of main.bicep" for name in values if name not in known]
    if (name := text(values, "name")) and not re.fullmatch(r"[a-z][a-z0-9]{2,19}", name):
        faults.append(f"'name' is '{name}'; 3 to 20 lower-case letters and digits, a letter first")
    faults += [
        f"'{name}' still is the example ({value})"
        for name, value in values.items()
        if re.search(r"\.example\b", json.dumps(value))
    ]
    if (url := text(values, "publicUrl")) and not re.fullmatch(r"https://[^/?#\s]+", url):
        faults.append(f"'publicUrl' is '{url}'; https:// and a host, nothing after it")
    return faults
