"""The real clients, pointed at the stand-ins."""

from collections.abc import Callable, Iterator

import msal
import pytest
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from local.standins import Stack
from local.standins.managed_identity import TOKEN_EXCHANGE


@pytest.fixture
def credential(standins: Stack) -> Iterator[ManagedIdentityCredential]:
    with ManagedIdentityCredential(client_id=standins.identity.client_id) as made:
        yield made


@pytest.fixture
def secrets(standins: Stack, credential: ManagedIdentityCredential) -> Iterator[SecretClient]:
    standins.key_vault.empty()
    with SecretClient(standins.key_vault.url, credential, retry_total=0) as client:
        yield client


@pytest.fixture
def make_app(
    standins: Stack, credential: ManagedIdentityCredential
) -> Callable[..., msal.ConfidentialClientApplication]:
    """An MSAL application; its credential is the managed identity unless told otherwise."""

    def make(
        authority: str | None = None, secret: object = None
    ) -> msal.ConfidentialClientApplication:
        def assertion() -> str:
            token: str = credential.get_token(f"{TOKEN_EXCHANGE}/.default").token
            return token

        return msal.ConfidentialClientApplication(
            standins.entra.application.client_id,
            client_credential=secret or {"client_assertion": assertion},
            authority=authority or standins.entra.authority,
            instance_discovery=False,
        )

    return make
