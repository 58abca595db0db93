"""What connecting is tried against: stand-ins for Entra, Key Vault and the managed identity."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from azure.identity import ManagedIdentityCredential

from local.standins.directory import Directory
from local.standins.entra import Entra as EntraStandIn
from local.standins.key_vault import KeyVault
from local.standins.managed_identity import TOKEN_EXCHANGE, ManagedIdentity
from local.standins.trust import Trust
from shared.connecting import ticket
from shared.connecting.browser import Browser
from shared.connecting.connect import Connecting
from shared.microsoft.entra import Entra
from shared.microsoft.tokens import AccessTokens
from shared.sealing import Seal
from shared.store.vault import Vault
from tests.connecting.walk import FRONTEND, PUBLIC_URL, Asker, Mailboxes, Submission, account


@pytest.fixture(scope="session")
def trust() -> Iterator[Trust]:
    with Trust() as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.settings().items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(scope="session")
def identity_standin(trust: Trust) -> Iterator[ManagedIdentity]:
    with ManagedIdentity() as standin, pytest.MonkeyPatch.context() as patch:
        for name, value in standin.settings().items():
            patch.setenv(name, value)
        yield standin


@pytest.fixture(scope="session")
def directory() -> Directory:
    return Directory()


@pytest.fixture(scope="session")
def _entra(
    trust: Trust, identity_standin: ManagedIdentity, directory: Directory
) -> Iterator[EntraStandIn]:
    with EntraStandIn(trust, identity_standin, directory) as standin:
        yield standin


@pytest.fixture
def entra_standin(_entra: EntraStandIn) -> EntraStandIn:
    _entra.reset()
    return _entra


@pytest.fixture(scope="session")
def _key_vault(trust: Trust, identity_standin: ManagedIdentity) -> Iterator[KeyVault]:
    with KeyVault(trust, identity_standin) as standin:
        yield standin


@pytest.fixture
def key_vault(_key_vault: KeyVault) -> KeyVault:
    _key_vault.reset()
    _key_vault.empty()
    return _key_vault


@pytest.fixture(scope="session")
def credential(identity_standin: ManagedIdentity) -> Iterator[ManagedIdentityCredential]:
    with ManagedIdentityCredential(client_id=identity_standin.client_id) as made:
        yield made


@pytest.fixture
def vault(key_vault: KeyVault, credential: ManagedIdentityCredential) -> Iterator[Vault]:
    made = Vault(key_vault.url, credential)
    yield made
    made.close()


@pytest.fixture
def seal(vault: Vault) -> Seal:
    return Seal(vault)


@pytest.fixture
def assertion(credential: ManagedIdentityCredential) -> Callable[[], str]:
    return lambda: credential.get_token(f"{TOKEN_EXCHANGE}/.default").token


@pytest.fixture
def entra(entra_standin: EntraStandIn, assertion: Callable[[], str]) -> Iterator[Entra]:
    made = Entra(
        authority=entra_standin.authority,
        client_id=entra_standin.application.client_id,
        client_credential=assertion,
        tls=ssl.create_default_context(),
        timeout=2,
    )
    yield made
    made.close()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
def submission() -> Submission:
    return Submission()


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def connecting(
    mailboxes: Mailboxes,
    vault: Vault,
    entra: Entra,
    submission: Submission,
    seal: Seal,
    woken: list[str],
) -> Connecting:
    return Connecting(
        accounts=mailboxes,
        refresh_tokens=vault,
        authorization_server=entra,
        access_tokens=AccessTokens(refresh_tokens=vault, endpoint=entra),
        server=submission,
        seal=seal,
        redirect_uri=f"{PUBLIC_URL}/api/oauth/callback",
        wake=woken.append,
        watch_token=lambda _account, _now: None,
    )


@pytest.fixture
def browser(connecting: Connecting, entra: Entra) -> Browser:
    return Browser(
        connecting=connecting,
        consent=entra,
        public_url=PUBLIC_URL,
        product="Quick3",
        allowed_origins=(FRONTEND,),
    )


@pytest.fixture
def connect_url(mailboxes: Mailboxes, seal: Seal, now: datetime) -> str:
    """A fresh connect link for Kari's account, which is made too."""
    url, _ = ticket.issue(
        mailboxes.add(account()), Asker(), seal=seal, public_url=PUBLIC_URL, now=now
    )
    return url.reveal()
