"""The whole local stack: Azurite, the stand-ins, the Functions host and the page, put together."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from local import azurite
from local.azurite import Azurite
from local.demo.report import Report
from local.demo.server import Delivered, Session, listening_socket, page_application, serving
from local.host import process
from local.host.process import HostProcess
from local.standins import Stack as StandIns
from local.standins.directory import PASSWORD

__all__ = ["PASSWORD", "SHARED", "USERNAME", "Stack", "running"]

USERNAME = "kari@firma.no"
"""The mailbox owner of the demo; the stand-in Entra knows her, with PASSWORD."""

SHARED = "faktura@firma.no"
"""A shared mailbox that she may send as."""

CUSTOMER, COMPANY = "firma", "Firma AS"
CALLER = "Nora Nilsen"
TOKEN_LIFE = timedelta(minutes=50)
SHORTEST_SECRET = 16
OUTSIDE = ("entra", "key_vault", "identity", "exchange", "issuer", "event_grid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Everything that runs, and where."""

    azurite: Azurite
    standins: StandIns
    public_url: str
    page_url: str
    log: Path

    @property
    def api(self) -> str:
        return f"{self.public_url}/api"

    @property
    def ca(self) -> Path:
        """The authority that a browser has to trust."""
        return self.standins.trust.ca

    def settings(self) -> Mapping[str, str]:
        """Everything the product is told."""
        return self.standins.settings() | {
            "PUBLIC_URL": self.public_url,
            "PRODUCT_NAME": "Quick3",
            "ALLOWED_ORIGINS": self.page_url,
            "AzureWebJobsStorage": self.azurite.connection_string,
        }

    def session(self) -> Session:
        """Sign the person at the keyboard in to Quick3."""
        expires_at = datetime.now(UTC) + TOKEN_LIFE
        token = self.standins.issuer.mint(customer=CUSTOMER, user=CALLER)
        return Session(CALLER, COMPANY, self.api, token, expires_at)

    def inbox(self) -> Sequence[Delivered]:
        """Everything Exchange has taken, oldest first."""
        return [
            Delivered(
                id=str(message.id),
                envelope_from=message.mail_from,
                envelope_to=message.rcpt_to,
                user=message.mailbox,
                received_at=message.at,
                content=message.content,
            )
            for message in self.standins.exchange.delivered
        ]

    def secrets(self) -> list[str]:
        """Every secret that the outside systems gave to the product or got from it."""
        known = [*self.standins.issuer.issued, *self.standins.identity.issued]
        for issued in self.standins.entra.issued().values():
            known += issued
        for name in self.standins.key_vault.names():
            known += self.standins.key_vault.values(name)
        return sorted({secret for secret in known if len(secret) >= SHORTEST_SECRET})


@contextmanager
def running(report: Report, *, page_port: int = 0, api_port: int = 0) -> Iterator[Stack]:
    """Run it all until the block ends; what was started is stopped in reverse order."""
    with ExitStack() as running_now:
        folder = Path(running_now.enter_context(TemporaryDirectory(prefix="demo-")))
        listening = running_now.enter_context(listening_socket(page_port))
        with report.step("Azurite: tables, queues, blobs"):
            storage = running_now.enter_context(azurite.running())
            report.note(f"process {storage.process.pid}, {storage.table_endpoint}")
        with report.step("Stand-ins: Entra, Exchange, Key Vault, identity, issuer, Event Grid"):
            standins = running_now.enter_context(StandIns(only=OUTSIDE, folder=folder / "trust"))
            prepare(standins)
            report.note(f"sign-in {standins.entra.url}, SMTP port {standins.exchange.port}")
        stack = Stack(
            azurite=storage,
            standins=standins,
            public_url=f"http://localhost:{api_port or free_port()}",
            page_url=f"http://localhost:{listening.getsockname()[1]}",
            log=folder / "host.log",
        )
        with report.step("Functions host"):
            host = running_now.enter_context(_host(stack))
            report.note(f"process {host.process.pid}, {stack.api}")
            report.note(f"{len(host.functions)} functions, log {stack.log}")
        application = page_application(stack.session, stack.inbox, stack.api)
        running_now.enter_context(serving(application, listening))
        yield stack


def prepare(standins: StandIns) -> None:
    """Let the mailbox owner send as the shared mailbox too."""
    standins.exchange.grant_send_as(USERNAME, SHARED)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _host(stack: Stack) -> Iterator[HostProcess]:
    """Run the Functions host, and keep what it writes in a file as well."""
    port = int(stack.public_url.rpartition(":")[2])
    with stack.log.open("a", encoding="utf-8", buffering=1) as log:

        def keep(line: str) -> None:
            log.write(line + "\n")

        with process.running(stack.settings(), port=port, on_line=keep) as host:
            yield host
