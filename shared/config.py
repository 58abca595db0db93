"""The settings, typed and checked: every fault is found at once, before anything starts."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from shared.secrecy import Secret

STORAGE = "AzureWebJobsStorage"

SETTINGS = (
    "PUBLIC_URL",
    "PRODUCT_NAME",
    "ALLOWED_ORIGINS",
    "CALLER_ISSUER",
    "CALLER_AUDIENCE",
    "CALLER_CUSTOMER_CLAIM",
    "ENTRA_AUTHORITY",
    "ENTRA_CLIENT_ID",
    "ENTRA_CLIENT_SECRET",
    "MANAGED_IDENTITY_CLIENT_ID",
    "KEY_VAULT_URL",
    "SMTP_HOST",
    "SMTP_PORT",
    STORAGE,
    f"{STORAGE}__tableServiceUri",
    f"{STORAGE}__queueServiceUri",
    f"{STORAGE}__blobServiceUri",
    f"{STORAGE}__credential",
    f"{STORAGE}__clientId",
    "EVENT_GRID_ENDPOINT",
)
"""Every setting the product reads, in the order of the README's table."""

_NOT_OF_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Controls and separators, and what stands for octets that are no text."""


class ConfigError(Exception):
    """Settings are missing or wrong; the message names every one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where our data is: a connection string, or three endpoints and an identity."""

    connection_string: Secret | None
    table_url: str
    queue_url: str
    blob_url: str
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings; built once per process by ``from_environ``."""

    public_url: str
    product_name: str
    allowed_origins: tuple[str, ...]
    caller_issuer: str
    caller_audience: str
    caller_customer_claim: str
    entra_authority: str
    entra_client_id: str
    entra_client_secret: Secret | None
    managed_identity_client_id: str
    key_vault_url: str
    smtp_host: str
    smtp_port: int
    storage: Storage
    event_grid_endpoint: str | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from *environ*.

        Raises ConfigError with one message that names every setting that is missing or wrong.
        """
        read = _Reader(environ)
        identity = read.text("MANAGED_IDENTITY_CLIENT_ID")
        secret = environ.get("ENTRA_CLIENT_SECRET", "").strip()
        config = cls(
            public_url=read.public_origin("PUBLIC_URL"),
            product_name=read.line("PRODUCT_NAME", "Quick3"),
            allowed_origins=read.origins("ALLOWED_ORIGINS"),
            caller_issuer=read.url("CALLER_ISSUER"),
            caller_audience=read.text("CALLER_AUDIENCE"),
            caller_customer_claim=read.text("CALLER_CUSTOMER_CLAIM", "customer_id"),
            entra_authority=read.authority(
                "ENTRA_AUTHORITY", "https://login.microsoftonline.com/organizations"
            ),
            entra_client_id=read.text("ENTRA_CLIENT_ID"),
            entra_client_secret=Secret(secret) if secret else None,
            managed_identity_client_id=identity,
            key_vault_url=read.origin("KEY_VAULT_URL", ("https",)),
            smtp_host=read.host("SMTP_HOST", "smtp.office365.com"),
            smtp_port=read.port("SMTP_PORT", "587"),
            storage=_storage(read, identity),
            event_grid_endpoint=read.optional_https("EVENT_GRID_ENDPOINT"),
        )
        if read.faults:
            raise ConfigError("The settings do not hold: " + "; ".join(read.faults) + ".")
        return config


def _storage(read: "_Reader", identity: str) -> Storage:
    """Read the platform's own storage settings; a connection string wins, as it does there."""
    if connection_string := read.environ.get(STORAGE, "").strip():
        if "=" not in connection_string:
            read.fault(STORAGE, "is not a storage connection string")
        return Storage(
            connection_string=Secret(connection_string),
            table_url="",
            queue_url="",
            blob_url="",
            client_id=identity,
        )
    if not read.environ.get(f"{STORAGE}__tableServiceUri", "").strip() and not any(
        name.startswith(f"{STORAGE}__") for name in read.environ
    ):
        read.fault(STORAGE, f"is not set, nor are {STORAGE}__tableServiceUri and its kin")
        return Storage(
            connection_string=None, table_url="", queue_url="", blob_url="", client_id=identity
        )
    credential = read.environ.get(f"{STORAGE}__credential", "managedidentity").strip()
    if credential != "managedidentity":
        read.fault(f"{STORAGE}__credential", "must be 'managedidentity'")
    return Storage(
        connection_string=None,
        table_url=read.https(f"{STORAGE}__tableServiceUri"),
        queue_url=read.https(f"{STORAGE}__queueServiceUri"),
        blob_url=read.https(f"{STORAGE}__blobServiceUri"),
        client_id=read.environ.get(f"{STORAGE}__clientId", "").strip() or identity,
    )


class _Reader:
    """Reads settings one by one and remembers every fault instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def fault(self, name: str, what: str) -> str:
        self.faults.append(f"{name} {what}")
        return ""

    def text(self, name: str, default: str = "") -> str:
        given = self.environ.get(name, "")
        if given and not given.strip():
            return self.fault(name, "is blank")
        return given.strip() or default or self.fault(name, "is not set")

    def line(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if _NOT_OF_A_LINE.search(value):
            return self.fault(name, "holds a control character or line break")
        return value

    def url(
        self, name: str, default: str = "", schemes: tuple[str, ...] = ("https", "http")
    ) -> str:
        if not (value := self.text(name, default)):
            return ""
        try:
            parts = urlsplit(value)
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or "?" in value or "#" in value or "@" in parts.netloc:
            return self.fault(name, f"is '{value}', which is not a URL of {' or '.join(schemes)}")
        return value.rstrip("/")

    def https(self, name: str) -> str:
        return self.url(name, schemes=("https",))

    def optional_https(self, name: str) -> str | None:
        return self.https(name) if self.environ.get(name, "").strip() else None

    def authority(self, name: str, default: str) -> str:
        value = self.url(name, default, ("https",))
        tenant = urlsplit(value).path.removeprefix("/")
        if value and (not tenant or "/" in tenant or re.fullmatch(r"v\d+\.\d+", tenant)):
            return self.fault(
                name, f"is '{value}'; it must end in the tenant (such as /organizations)"
            )
        return value

    def origin(self, name: str, schemes: tuple[str, ...] = ("https", "http")) -> str:
        value = self.url(name, schemes=schemes)
        if value and urlsplit(value).path:
            return self.fault(name, f"is '{value}'; it must be an origin, without a path")
        return value

    def public_origin(self, name: str) -> str:
        value = self.origin(name)
        parts = urlsplit(value)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            return self.fault(
                name, f"is '{value}'; http is for loopback hosts: our cookies need https"
            )
        return value

    def origins(self, name: str) -> tuple[str, ...]:
        if not (value := self.text(name)):
            return ()
        found = tuple(part.strip() for part in value.split(",") if part.strip())
        wrong = [one for one in found if not re.fullmatch(r"https?://[^/?#@\s]+", one)]
        if wrong or not found:
            self.fault(
                name, f"holds '{', '.join(wrong)}', which is no origin (https://host[:port])"
            )
        return tuple(one.lower() for one in found)

    def host(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+", value):
            return self.fault(name, f"is '{value}', which is not a host name")
        return value

    def port(self, name: str, default: str) -> int:
        value = self.text(name, default)
        if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
            self.fault(name, f"is '{value}', which is not a TCP port")
            return 0
        return int(value)


def _is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine and no other, whatever it is called here.

    Browsers keep cookies marked Secure without TLS there, and nowhere else.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ip_address(str(address[0])).is_loopback for *_, address in found)
