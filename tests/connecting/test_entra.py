"""Entra through MSAL: the authorization request, redemption, refresh, every kind of refusal."""

import ssl
from collections.abc import Callable
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError

from local.standins.entra import Entra as EntraStandIn
from shared.errors import ServiceError
from shared.microsoft.entra import Entra
from shared.microsoft.token_response import Grant, TokenError
from shared.secrecy import Secret

CALLBACK = "http://127.0.0.1:7071/api/oauth/callback"
KARI = "kari@firma.no"


def connected(entra: Entra, standin: EntraStandIn, who: str = KARI) -> Grant:
    flow = entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)
    back = standin.sign_in(flow["auth_uri"], who)
    return entra.redeem(flow, dict(parse_qsl(urlsplit(back).query)))


def refresh_token(entra: Entra, standin: EntraStandIn) -> Secret:
    token = connected(entra, standin).refresh_token
    assert token is not None
    return token


def test_the_authorization_request_is_what_the_contract_says(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    flow = entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)

    query = {name: only for name, [only] in parse_qs(urlsplit(flow["auth_uri"]).query).items()}
    asked = "https://outlook.office.com/SMTP.Send offline_access openid profile email"
    assert query.pop("scope") == asked
    assert query.pop("state") == flow["state"]
    assert len(query.pop("code_challenge")) == 43
    assert len(query.pop("nonce")) == 64
    assert (
        query.items()
        >= {
            "client_id": entra_standin.application.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": CALLBACK,
            "prompt": "select_account",
            "login_hint": KARI,
            "code_challenge_method": "S256",
        }.items()
    )
    assert flow["auth_uri"].startswith(f"{entra_standin.authority}/oauth2/v2.0/authorize?")


def test_a_redeemed_code_says_who_signed_in_and_what_was_granted(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    grant = connected(entra, entra_standin)

    assert grant.claims["preferred_username"] == KARI
    assert grant.scope == ("https://outlook.office.com/SMTP.Send",)
    assert grant.refresh_token
    assert entra.issuer() == f"{entra_standin.url}/{{tenantid}}/v2.0"


def test_a_client_secret_works_where_there_is_no_managed_identity(
    entra_standin: EntraStandIn,
) -> None:
    entra = Entra(
        authority=entra_standin.authority,
        client_id=entra_standin.application.client_id,
        client_credential=Secret(entra_standin.application.client_secret),
        tls=ssl.create_default_context(),
    )

    assert connected(entra, entra_standin).refresh_token
    entra.close()


def test_a_code_is_redeemed_once(entra: Entra, entra_standin: EntraStandIn) -> None:
    flow = entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)
    query = dict(parse_qsl(urlsplit(entra_standin.sign_in(flow["auth_uri"], KARI)).query))
    entra.redeem(flow, query)

    with pytest.raises(TokenError) as caught:
        entra.redeem(flow, query)

    assert (caught.value.error, caught.value.codes) == ("invalid_grant", (54005,))
    assert caught.value.trace_id


def test_another_verifier_does_not_redeem(entra: Entra, entra_standin: EntraStandIn) -> None:
    flow = entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)
    query = dict(parse_qsl(urlsplit(entra_standin.sign_in(flow["auth_uri"], KARI)).query))

    with pytest.raises(TokenError, match="invalid_grant"):
        entra.redeem({**flow, "code_verifier": "x" * 43}, query)


@pytest.mark.parametrize("changed", ["state", "nonce"])
def test_another_flows_state_or_nonce_does_not_redeem(
    entra: Entra, entra_standin: EntraStandIn, changed: str
) -> None:
    flow = entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)
    query = dict(parse_qsl(urlsplit(entra_standin.sign_in(flow["auth_uri"], KARI)).query))

    with pytest.raises((TokenError, ServiceError)) as caught:
        entra.redeem({**flow, changed: "of-another-flow-entirely"}, query)

    assert flow["nonce"] not in str(caught.value)


def test_a_refresh_gives_an_access_token_and_the_rotated_refresh_token(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    old = refresh_token(entra, entra_standin)

    tokens = entra.refresh(old)

    assert tokens.access_token.reveal() in entra_standin.issued()["access_token"]
    assert tokens.refresh_token != old


def test_a_recovered_mailbox_is_seen_at_once(entra: Entra, entra_standin: EntraStandIn) -> None:
    token = refresh_token(entra, entra_standin)
    entra_standin.disable_user(KARI)
    with pytest.raises(TokenError) as caught:
        entra.refresh(token)
    assert caught.value.codes == (50057,)

    entra_standin.disable_user(KARI, disabled=False)

    assert entra.refresh(token).access_token


def test_throttling_carries_how_long_to_wait_and_is_not_replayed(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    token = refresh_token(entra, entra_standin)
    for html in (False, True):
        entra_standin.throttle(1, seconds=7, html=html)

        with pytest.raises(TokenError) as caught:
            entra.refresh(token)

        assert (caught.value.http_status, caught.value.retry_after) == (429, 7)
    assert entra.refresh(token).access_token


@pytest.mark.parametrize(
    ("kind", "status"), [("unavailable", 503), ("error", 500), ("dropped", 0), ("hung", 0)]
)
def test_an_outage_of_entras_is_told_from_a_refusal(
    entra: Entra, entra_standin: EntraStandIn, kind: str, status: int
) -> None:
    token = refresh_token(entra, entra_standin)
    entra_standin.fail_next(1, kind, "token")

    with pytest.raises(TokenError) as caught:
        entra.refresh(token)

    assert caught.value.http_status == status
    assert entra.refresh(token).access_token


def test_our_own_credential_failing_is_told_from_the_users(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    token = refresh_token(entra, entra_standin)
    entra_standin.break_client_credential()

    with pytest.raises(TokenError) as caught:
        entra.refresh(token)

    assert (caught.value.error, caught.value.http_status) == ("invalid_client", 401)


def test_a_managed_identity_that_gives_nothing_is_our_outage(
    entra_standin: EntraStandIn, entra: Entra
) -> None:
    def nothing() -> str:
        raise ClientAuthenticationError("no identity")

    broken = Entra(
        authority=entra_standin.authority,
        client_id=entra_standin.application.client_id,
        client_credential=nothing,
        tls=ssl.create_default_context(),
    )

    with pytest.raises(TokenError) as caught:
        broken.refresh(refresh_token(entra, entra_standin))

    assert caught.value.error == "invalid_client"
    broken.close()


def test_metadata_that_cannot_be_read_is_tried_again_the_next_time(
    entra_standin: EntraStandIn, assertion: Callable[[], str]
) -> None:
    entra = Entra(
        authority=entra_standin.authority,
        client_id=entra_standin.application.client_id,
        client_credential=assertion,
        tls=ssl.create_default_context(),
        timeout=2,
    )
    for kind in ("unavailable", "dropped"):
        entra_standin.fail_next(2, kind, "discovery")
        with pytest.raises(TokenError) as caught:
            entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)
        assert caught.value.error in ("unreachable", "server_error")
        entra_standin.restore()

    assert entra.initiate(redirect_uri=CALLBACK, login_hint=KARI)["auth_uri"]
    entra.close()


def test_no_token_stays_behind_in_msal(entra: Entra, entra_standin: EntraStandIn) -> None:
    connected(entra, entra_standin)

    app = entra._application()
    assert list(app.token_cache.search("RefreshToken")) == []
    assert list(app.token_cache.search("AccessToken")) == []


def test_the_admin_consent_link_leads_to_the_customers_tenant(
    entra: Entra, entra_standin: EntraStandIn
) -> None:
    entra_standin.require_admin_consent("firma.no")
    url = entra.admin_consent_url(redirect_uri=CALLBACK, tenant="firma.no", state="back")

    back = entra_standin.approve_for_tenant(url, "admin@firma.no")

    assert back.startswith(CALLBACK)
    assert parse_qs(urlsplit(back).query)["state"] == ["back"]
    assert connected(entra, entra_standin).refresh_token
