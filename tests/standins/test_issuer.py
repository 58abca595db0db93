"""The caller's issuer, as PyJWKClient reads it."""

import jwt
import pytest
import requests

from local.standins import Stack


def verified(stack: Stack, token: str) -> dict[str, object]:
    metadata = requests.get(
        f"{stack.issuer.url}/.well-known/openid-configuration", timeout=5
    ).json()
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims: dict[str, object] = jwt.decode(
        token,
        key,
        algorithms=["RS256", "ES256"],
        audience=stack.issuer.audience,
        issuer=metadata["issuer"],
    )
    return claims


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_minted_token_holds(standins: Stack, algorithm: str) -> None:
    token = standins.issuer.mint("firma", "kari", ["mail.send"], algorithm=algorithm)

    claims = verified(standins, token)

    assert (claims["customer_id"], claims["sub"], claims["scope"]) == (
        "firma",
        "kari",
        "mail.send",
    )


def test_claims_can_be_replaced_and_left_out(standins: Stack) -> None:
    token = standins.issuer.mint(aud="another", customer_id=None, nbf=1)

    claims = jwt.decode(token, options={"verify_signature": False})

    assert (claims["aud"], claims["nbf"]) == ("another", 1)
    assert "customer_id" not in claims


def test_rotated_keys_are_published_beside_the_old_ones(standins: Stack) -> None:
    old = standins.issuer.mint()
    standins.issuer.rotate_keys()
    verified(standins, old)
    verified(standins, standins.issuer.mint())
    standins.issuer.rotate_keys(keep_old=False)
    with pytest.raises(jwt.PyJWKClientError):
        verified(standins, old)


def test_the_demo_page_asks_for_tokens(standins: Stack) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "quick3",
        "client_secret": "quick3-local-only",
        "customer": "annen",
        "user": "per",
        "scope": "mail.accounts",
    }
    url = f"{standins.issuer.url}/token"
    claims = verified(standins, requests.post(url, data=form, timeout=5).json()["access_token"])
    assert (claims["customer_id"], claims["scope"]) == ("annen", "mail.accounts")
    wrong = requests.post(url, data=form | {"client_secret": "x"}, timeout=5)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
