"""The composition root: builds each collaborator once per process, on first use.

The one module that reads the environment, and the one with imports inside functions: what a
trigger does not ask for is never imported, which is what keeps cold starts short.
"""

import functools
import logging
import os
import secrets
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.config import Config

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport

    from shared.accounts.account import Account
    from shared.accounts.registry import Register
    from shared.caller import Caller
    from shared.callers import CallerVerifier
    from shared.connecting.browser import Browser
    from shared.connecting.connect import Connecting
    from shared.delivery.crew import Crew, Events
    from shared.delivery.door import Door
    from shared.delivery.health import Health
    from shared.delivery.upkeep import Upkeep
    from shared.delivery.waiting import Waiting
    from shared.messages.accept import Intake
    from shared.microsoft.entra import Entra
    from shared.microsoft.submission import Server
    from shared.microsoft.tokens import AccessTokens
    from shared.pages.visit import Answer
    from shared.sealing import Seal
    from shared.secrecy import Secret
    from shared.store.accounts import Accounts
    from shared.store.agenda import Agenda
    from shared.store.content import Contents
    from shared.store.customers import Customers
    from shared.store.leases import Leases
    from shared.store.messages import Messages
    from shared.store.table import Table
    from shared.store.tenants import Tenants
    from shared.store.vault import Vault
    from shared.store.wakeups import Wakeups

CONNECT_SECONDS = 5
READ_SECONDS = 15
READERS = 16
"""Threads that read ahead for the drains of this process, and side by side for a list."""
WAITERS = 64
"""Drains that requests of this process may be waiting for at once."""
CONNECTIONS = WAITERS + READERS
"""Connections kept by each of the SDKs' clients."""

_building = threading.RLock()


def _once[*A, T](build: Callable[[*A], T]) -> Callable[[*A], T]:
    """Let *build* run once per process and arguments, also when several threads ask at once.

    ``functools.cache`` lets each of them build one, and a second of what keeps tokens or keys does
    not know what the first one has. What is there already is returned without the lock.
    """
    built: dict[tuple[Any, ...], T] = {}

    @functools.wraps(build)
    def get(*args: *A) -> T:
        if args not in built:
            with _building:
                if args not in built:
                    built[args] = build(*args)
        return built[args]

    return get


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def start() -> None:
    """Check the settings, so that wrong ones stop the start, and quieten the SDKs.

    Their loggers write every request with its headers at INFO. Raises ConfigError.
    """
    config()
    logging.getLogger("azure").setLevel(logging.WARNING)


@_once
def config() -> Config:
    """Return the settings; raises ConfigError naming every one that is missing or wrong."""
    return Config.from_environ(os.environ)


@_once
def instance() -> str:
    """Return a name for this process that no other has."""
    return secrets.token_hex(4)


@_once
def tls() -> ssl.SSLContext:
    """Return the one verifying TLS context of the process; making one costs 20 ms of CPU."""
    return ssl.create_default_context()


@_once
def identity() -> "TokenCredential":
    """Return the managed identity."""
    return _managed_identity(config().managed_identity_client_id)


@_once
def _managed_identity(client_id: str) -> "TokenCredential":
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id)


def _threads(count: int, name: str) -> "Executor":
    """Return up to *count* threads, started as they are needed and called *name* in a dump."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count, thread_name_prefix=name)


def _transport() -> "RequestsTransport":
    """Return a way to the wire that keeps a connection for every thread that may ask at once.

    The SDKs keep ten; each thread more would pay for a handshake with every request.
    """
    import requests
    from azure.core.pipeline.transport import RequestsTransport

    session = requests.Session()
    session.mount("https://", adapter := requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
    session.mount("http://", adapter)
    return RequestsTransport(session=session)


def _storage_options() -> dict[str, Any]:
    """Return how patiently Storage is asked: a failing request ends before a caller gives up."""
    return {
        "transport": _transport(),
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retry_total": 4,
    }


def _table_options() -> dict[str, Any]:
    """Return that, with the pauses between tries in the words of the table client."""
    pauses = {"retry_backoff_factor": 0.3, "retry_backoff_max": 4}
    return {**_storage_options(), **pauses, "logging_enable": False}


def _blob_and_queue_options() -> dict[str, Any]:
    """Return that, with the pauses between tries in the words of the other two clients."""
    return {**_storage_options(), "initial_backoff": 1, "increment_base": 2}


@_once
def _table(name: str) -> "Table":
    from azure.data.tables import TableClient

    from shared.store.table import Table

    storage = config().storage
    if storage.connection_string:
        text = storage.connection_string.reveal()
        return Table(TableClient.from_connection_string(text, table_name=name, **_table_options()))
    credential = _managed_identity(storage.client_id)
    return Table(TableClient(storage.table_url, name, credential=credential, **_table_options()))


@_once
def contents() -> "Contents":
    """Return the container of large contents."""
    from azure.storage.blob import ContainerClient

    from shared.store.content import Contents

    storage = config().storage
    options = _blob_and_queue_options()
    if storage.connection_string:
        text = storage.connection_string.reveal()
        return Contents(ContainerClient.from_connection_string(text, "content", **options))
    credential = _managed_identity(storage.client_id)
    return Contents(ContainerClient(storage.blob_url, "content", credential=credential, **options))


@_once
def wakeups() -> "Wakeups":
    """Return the queue of wake-ups."""
    from azure.storage.queue import QueueClient

    from shared.store.wakeups import Wakeups

    storage = config().storage
    options = _blob_and_queue_options()

    def queue(name: str) -> QueueClient:
        if storage.connection_string:
            text = storage.connection_string.reveal()
            return QueueClient.from_connection_string(text, name, **options)
        credential = _managed_identity(storage.client_id)
        return QueueClient(storage.queue_url, name, credential=credential, **options)

    return Wakeups(queue("wakeups"), queue("wakeups-poison"))


@_once
def leases() -> "Leases":
    """Return the leases on mailboxes."""
    from shared.store.leases import Leases

    return Leases(_table("mailboxes"))


@_once
def accounts() -> "Accounts":
    """Return the accounts' rows."""
    from shared.store.accounts import Accounts

    return Accounts(_table("mailboxes"), leases())


@_once
def messages() -> "Messages":
    """Return the messages' rows and contents."""
    from shared.store.messages import Messages

    return Messages(_table("mailboxes"), contents)


@_once
def customers() -> "Customers":
    """Return the index of accounts by customer."""
    from shared.store.customers import Customers

    return Customers(_table("customers"))


@_once
def agenda() -> "Agenda":
    """Return what upkeep has to do when."""
    from shared.store.agenda import Agenda

    return Agenda(_table("upkeep"))


@_once
def tenants() -> "Tenants":
    """Return the tenants that were told to slow down."""
    from shared.store.tenants import Tenants

    return Tenants(_table("upkeep"))


@_once
def vault() -> "Vault":
    """Return the Key Vault."""
    from shared.store.vault import Vault

    return Vault(config().key_vault_url, identity())


@_once
def seal() -> "Seal":
    """Return what seals tickets and cookies."""
    from shared.sealing import Seal

    return Seal(vault())


@_once
def entra() -> "Entra":
    """Return our application at Microsoft; its credential is the managed identity by default."""
    from shared.microsoft.entra import Entra

    def assertion() -> str:
        return identity().get_token("api://AzureADTokenExchange/.default").token

    return Entra(
        authority=config().entra_authority,
        client_id=config().entra_client_id,
        client_credential=config().entra_client_secret or assertion,
        tls=ssl.create_default_context(),  # not the one of SMTP: this one says that it speaks HTTP
    )


@_once
def access_tokens() -> "AccessTokens":
    """Return the access tokens of this process."""
    from shared.microsoft.tokens import AccessTokens

    return AccessTokens(refresh_tokens=vault(), endpoint=entra(), clock=now)


@_once
def server() -> "Server":
    """Return Exchange's submission server."""
    from shared.microsoft.submission import Server

    return Server(config().smtp_host, config().smtp_port, tls())


@_once
def door() -> "Door":
    """Return the way to a mailbox's authenticated session."""
    from shared.delivery.door import Door
    from shared.delivery.sessions import Sessions

    return Door(
        tokens=access_tokens,
        server=server,
        sessions=Sessions(),
        threads=_threads(WAITERS, "token"),
    )


@_once
def events() -> "Events":
    """Return who is told of what happened: the Event Grid topic, or nobody."""
    from shared.delivery import events as told

    endpoint = config().event_grid_endpoint
    if endpoint is None:
        return told.Silence()
    from azure.eventgrid import EventGridPublisherClient

    client = EventGridPublisherClient(
        endpoint, identity(), connection_timeout=3, read_timeout=5, retry_total=2
    )
    return told.Topic(client, source=f"{config().public_url}/api", clock=now, post=background())


@_once
def background() -> "Executor":
    """Return threads for what a request or a drain does not have to wait for."""
    return _threads(WAITERS, "background")


@_once
def readers() -> "Executor":
    """Return threads for what is only read; nothing that they do waits for another of them."""
    return _threads(READERS, "reader")


@_once
def crew() -> "Crew":
    """Return what every drain works with."""
    from shared.delivery.crew import Crew

    return Crew(
        accounts=accounts(),
        messages=messages(),
        leases=leases(),
        wakeups=wakeups(),
        tenants=tenants(),
        events=events(),
        door=door(),
        readers=readers(),
        clock=now,
        instance=instance(),
    )


def drain(account: str) -> None:
    """Send what is due from one mailbox."""
    from shared.delivery.drain import drain as drain_with

    drain_with(crew(), account)


@_once
def intake() -> "Intake":
    """Return who takes messages in."""
    from shared.messages.accept import Intake
    from shared.store.messages import CONTENT_IN_PARTITION

    return Intake(
        messages=messages(),
        agenda=agenda(),
        wakeups=wakeups(),
        largest_in_partition=CONTENT_IN_PARTITION,
        clock=now,
    )


@_once
def waiting() -> "Waiting":
    """Return who waits for the end of a message."""
    from shared.delivery.waiting import Waiting

    return Waiting(messages=messages(), wakeups=wakeups(), drain=drain, threads=background())


@_once
def callers() -> "CallerVerifier":
    """Return who checks the callers' tokens."""
    from shared.callers import CallerVerifier

    settings = config()
    return CallerVerifier(
        issuer=settings.caller_issuer,
        audience=settings.caller_audience,
        customer_claim=settings.caller_customer_claim,
    )


@_once
def register() -> "Register":
    """Return the register of accounts."""
    from shared.accounts.registry import Register

    return Register(
        accounts=accounts(),
        customers=customers(),
        agenda=agenda(),
        refresh_tokens=vault,
        readers=readers(),
    )


def wake(account: str) -> None:
    """Wake a mailbox now."""
    moment = now()
    wakeups().send(account, at=moment, now=moment)


@_once
def connecting() -> "Connecting":
    """Return the use cases of connecting."""
    from shared.connecting.connect import Connecting

    return Connecting(
        accounts=accounts(),
        refresh_tokens=vault(),
        authorization_server=entra(),
        access_tokens=access_tokens(),
        server=server(),
        seal=seal(),
        redirect_uri=f"{config().public_url}/api/oauth/callback",
        wake=wake,
        watch_token=lambda account, moment: upkeep().watch_token(account, moment),
    )


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of this service."""
    from shared.openapi.document import document

    return document(config().public_url)


def reference_page() -> "Answer":
    """Return the interface as a page."""
    from shared.openapi import reading

    settings = config()
    return reading.reference(public_url=settings.public_url, product=settings.product_name)


def problem_page(code: str, language: str) -> "Answer":
    """Return the page that explains a problem's code."""
    from shared.openapi import reading

    settings = config()
    return reading.problem_page(
        code,
        language=language,
        public_url=settings.public_url,
        product=settings.product_name,
    )


def issue_ticket(account: "Account", asker: "Caller") -> "tuple[Secret, datetime]":
    """Return the address at which *account* is connected, and until when."""
    from shared.connecting import ticket

    return ticket.issue(account, asker, seal=seal(), public_url=config().public_url, now=now())


def admin_url(account: "Account") -> "Secret | None":
    """Return the page for IT, if the account's obstacle is theirs to settle and it can be sealed.

    An account is shown all the same while the vault is away.
    """
    from shared.connecting import admin_link
    from shared.errors import ServiceError

    if account.obstacle is None:
        return None
    try:
        return admin_link.address_for(
            account.id,
            account.obstacle.code,
            seal=seal(),
            public_url=config().public_url,
            now=now(),
        )
    except ServiceError:
        return None


def admin_consent_url(account: "Account", code: str) -> str:
    """Return where an admin approves us; from there the way leads to the page for IT."""
    from shared.connecting import admin_link
    from shared.errors import ServiceError

    try:
        state = admin_link.issue(account.id, code, seal=seal(), now=now()).reveal()
    except ServiceError:
        state = ""
    return entra().admin_consent_url(
        redirect_uri=f"{config().public_url}/api/oauth/callback",
        tenant=account.username.rpartition("@")[2],
        state=state,
    )


@_once
def browser() -> "Browser":
    """Return who answers browsers."""
    from shared.connecting.browser import Browser

    settings = config()
    return Browser(
        connecting=connecting(),
        consent=entra(),
        public_url=settings.public_url,
        product=settings.product_name,
        allowed_origins=settings.allowed_origins,
    )


@_once
def upkeep() -> "Upkeep":
    """Return who looks after what nobody asks for."""
    from shared.delivery.upkeep import Upkeep
    from shared.store.retention import Retention

    return Upkeep(
        accounts=accounts(),
        messages=messages(),
        retention=Retention(_table("mailboxes")),
        customers=customers(),
        agenda=agenda(),
        wakeups=wakeups(),
        vault=vault,
        access_tokens=access_tokens,
        clock=now,
        threads=background(),
    )


@_once
def health() -> "Health":
    """Return who knows whether what we depend on answers."""
    from shared.delivery.health import Health

    probes: dict[str, Callable[[], bool]] = {
        "tables": _table("mailboxes").is_reachable,
        "queue": wakeups().is_reachable,
        "blobs": lambda: contents().is_reachable(),
        "key_vault": lambda: vault().is_healthy(),
        "entra": lambda: entra().is_healthy(),
        "callers": lambda: callers().is_reachable(),
    }
    return Health(probes, poisoned=wakeups().count_poisoned, clock=now)
