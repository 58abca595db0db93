"""The whole local stack: Azurite, the stand-ins, the Functions host and the page, put together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from local import azurite
from local.azurite import Azurite
from local.demo import functions
from local.demo.report import Report
from local.demo.server import Delivered, Session, listening_socket, page_application, serving
from local.standins.directory import PASSWORD, Directory
from local.standins.entra import Entra
from local.standins.event_grid import EventGrid
from local.standins.exchange import Exchange
from local.standins.issuer import Issuer
from local.standins.key_vault import KeyVault
from local.standins.managed_identity import ManagedIdentity
from local.standins.trust import Trust

__all__ = ["PASSWORD", "SHARED", "USERNAME", "Stack", "running"]

USERNAME = "kari@firma.no"
"""The mailbox owner of the demo; the stand-in Entra knows her, with PASSWORD."""

SHARED = "faktura@firma.no"
"""A shared mailbox that she may send as."""

CUSTOMER, COMPANY = "firma", "Firma AS"
CALLER = "Nora Nilsen"
TOKEN_LIFE = timedelta(minutes=50)
SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIns:
    """The outside systems, each listening on a port of its own."""

    trust: Trust
    identity: ManagedIdentity
    vault: KeyVault
    entra: Entra
    exchange: Exchange
    issuer: Issuer
    event_grid: EventGrid

    def settings(self) -> dict[str, str]:
        """What leads the product to them."""
        settings = self.trust.settings()
        for each in (
            self.identity,
            self.vault,
            self.entra,
            self.exchange,
            self.issuer,
            self.event_grid,
        ):
            settings |= each.settings()
        return settings


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
        for name in self.standins.vault.names():
            known += self.standins.vault.values(name)
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
            standins = _stand_ins(folder, running_now)
            report.note(f"sign-in {standins.entra.url}, SMTP port {standins.exchange.port}")
        stack = Stack(
            azurite=storage,
            standins=standins,
            public_url=f"http://localhost:{api_port or functions.free_port()}",
            page_url=f"http://localhost:{listening.getsockname()[1]}",
            log=folder / "host.log",
        )
        with report.step("Functions host"):
            process = running_now.enter_context(_host(stack))
            report.note(f"process {process}, {stack.api}")
        application = page_application(stack.session, stack.inbox, stack.api)
        running_now.enter_context(serving(application, listening))
        yield stack


def _stand_ins(folder: Path, running_now: ExitStack) -> StandIns:
    start = running_now.enter_context
    trust = Trust(folder / "trust")
    directory = Directory()
    identity = start(ManagedIdentity())
    entra = start(Entra(trust, identity, directory))
    standins = StandIns(
        trust=trust,
        identity=identity,
        vault=start(KeyVault(trust, identity)),
        entra=entra,
        exchange=start(Exchange(trust, entra, directory)),
        issuer=start(Issuer(trust)),
        event_grid=start(EventGrid(trust, identity)),
    )
    standins.exchange.grant_send_as(USERNAME, SHARED)
    return standins


@contextmanager
def _host(stack: Stack) -> Iterator[int]:
    port = int(stack.public_url.rpartition(":")[2])
    with functions.running(port, stack.settings(), stack.log) as process:
        yield process
