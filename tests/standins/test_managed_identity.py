"""The identity endpoint, as ManagedIdentityCredential finds it through the environment."""

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from local.standins import Stack
from local.standins.managed_identity import HOME_TENANT, PRINCIPAL_ID, TOKEN_EXCHANGE


@pytest.mark.parametrize(
    ("resource", "issuer"),
    [
        ("https://storage.azure.com", f"https://sts.windows.net/{HOME_TENANT}/"),
        ("https://eventgrid.azure.net", f"https://sts.windows.net/{HOME_TENANT}/"),
        (TOKEN_EXCHANGE, f"https://login.microsoftonline.com/{HOME_TENANT}/v2.0"),
    ],
)
def test_a_token_is_for_its_resource(
    credential: ManagedIdentityCredential, resource: str, issuer: str
) -> None:
    token = credential.get_token(f"{resource}/.default").token

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["iss"], claims["sub"]) == (resource, issuer, PRINCIPAL_ID)


def test_another_resource_is_refused(credential: ManagedIdentityCredential) -> None:
    with pytest.raises(ClientAuthenticationError):
        credential.get_token("https://graph.microsoft.com/.default")


def test_another_identity_is_refused(standins: Stack) -> None:
    with (
        ManagedIdentityCredential(client_id=TOKEN_EXCHANGE) as credential,
        pytest.raises(ClientAuthenticationError),
    ):
        credential.get_token("https://storage.azure.com/.default")


def test_the_header_is_the_key(standins: Stack) -> None:
    query = {"api-version": "2019-08-01", "resource": "https://storage.azure.com"}
    answer = requests.get(f"{standins.identity.url}/msi/token", params=query, timeout=5)
    assert answer.status_code == 401


def test_the_endpoint_can_be_unavailable(standins: Stack) -> None:
    standins.identity.be_unavailable()
    headers = {"X-IDENTITY-HEADER": standins.identity.header}
    answer = requests.get(f"{standins.identity.url}/msi/token", headers=headers, timeout=5)
    assert answer.status_code == 503
