"""The Entra stand-in, spoken to by MSAL and, for its pages, by a browser's requests."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import pytest
import requests

from local.standins import Stack
from local.standins.entra import StoppedError

CALLBACK = "http://localhost:7071/api/oauth/callback"
SMTP = ["https://outlook.office.com/SMTP.Send"]
KARI = "kari@firma.no"

type Tokens = dict[str, Any]
type MakeApp = Callable[..., msal.ConfidentialClientApplication]


def begin(app: msal.ConfidentialClientApplication, **options: str) -> dict[str, Any]:
    flow: dict[str, Any] = app.initiate_auth_code_flow(
        [*SMTP, "email"], redirect_uri=CALLBACK, login_hint=KARI, response_mode="form_post"
    )
    flow["auth_uri"] = flow["auth_uri"].replace("response_mode=form_post", "response_mode=query")
    flow["auth_uri"] += "".join(f"&{name}={value}" for name, value in options.items())
    return flow


def answered(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def connect(app: msal.ConfidentialClientApplication, stack: Stack, who: str = KARI) -> Tokens:
    flow = begin(app)
    back = stack.entra.sign_in(flow["auth_uri"], who)
    tokens: Tokens = app.acquire_token_by_auth_code_flow(flow, answered(back))
    return tokens


def refresh(app: msal.ConfidentialClientApplication, token: str) -> Tokens:
    tokens: Tokens = app.acquire_token_by_refresh_token(token, SMTP)
    return tokens


def test_the_code_flow_gives_what_was_asked_for(standins: Stack, make_app: MakeApp) -> None:
    tokens = connect(make_app(), standins)

    assert tokens["scope"] == SMTP[0]
    assert tokens["token_type"] == "Bearer"
    claims = tokens["id_token_claims"]
    tenant = standins.directory.the(KARI).tenant.id
    assert claims["iss"] == f"{standins.entra.url}/{tenant}/v2.0"
    assert (claims["tid"], claims["preferred_username"]) == (tenant, KARI)
    keys = jwt.PyJWKClient(f"{standins.entra.authority}/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(tokens["id_token"])
    jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=claims["aud"])
    assert 1500 < len(tokens["access_token"]) < 2500
    assert tokens["access_token"] in standins.entra.issued()["access_token"]


def test_a_refresh_rotates_and_leaves_the_old_token_alive(
    standins: Stack, make_app: MakeApp
) -> None:
    app = make_app()
    first = connect(app, standins)["refresh_token"]

    second = refresh(app, first)["refresh_token"]

    assert second != first
    assert "access_token" in refresh(make_app(), first)
    assert "access_token" in refresh(app, second)
    counts = standins.entra.counts()
    assert (counts["grant authorization_code"], counts["grant refresh_token"]) == (1, 3)


def test_a_client_secret_is_as_good_as_the_managed_identity(
    standins: Stack, make_app: MakeApp
) -> None:
    tokens = connect(make_app(secret=standins.entra.application.client_secret), standins)
    assert "refresh_token" in tokens

    refused = refresh(make_app(secret="wrong"), tokens["refresh_token"])
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])


REFUSALS: list[tuple[Callable[[Stack], None], int, str | None]] = [
    (lambda stack: stack.entra.disable_user(KARI), 50057, None),
    (lambda stack: stack.entra.revoke_sessions(KARI), 50173, "bad_token"),
    (lambda stack: stack.entra.expire_refresh_tokens(KARI), 700082, "token_expired"),
    (lambda stack: stack.entra.require_mfa(KARI), 50076, "basic_action"),
    (lambda stack: stack.entra.block_by_conditional_access(KARI), 53003, "message_only"),
    (lambda stack: stack.entra.revoke_consent(KARI), 65001, "consent_required"),
    (lambda stack: stack.entra.fail_next(1, "50196", "token"), 50196, None),
    (lambda stack: stack.entra.fail_next(1, "70043", "token"), 70043, "token_expired"),
]


@pytest.mark.parametrize(("happen", "number", "suberror"), REFUSALS)
def test_a_refresh_is_refused_as_entra_does(
    standins: Stack,
    make_app: MakeApp,
    happen: Callable[[Stack], None],
    number: int,
    suberror: str | None,
) -> None:
    app = make_app()
    token = connect(app, standins)["refresh_token"]
    happen(standins)

    refused = refresh(app, token)

    assert refused["error"] == "invalid_grant"
    assert refused["error_codes"] == [number]
    assert refused.get("suberror") == suberror
    assert refused["error_description"].startswith(f"AADSTS{number}: ")
    assert "Trace ID: " in refused["error_description"]
    assert {"trace_id", "correlation_id", "timestamp", "error_uri"} <= refused.keys()


def test_signing_in_again_heals_a_refused_refresh(standins: Stack, make_app: MakeApp) -> None:
    connect(make_app(), standins)
    standins.entra.revoke_sessions(KARI)
    standins.entra.require_mfa(KARI)

    again = connect(make_app(), standins)["refresh_token"]

    assert "access_token" in refresh(make_app(), again)


@pytest.mark.parametrize("number", [7000222, 700213, 700211])
def test_a_broken_credential_is_401_invalid_client(
    standins: Stack, make_app: MakeApp, number: int
) -> None:
    token = connect(make_app(), standins)["refresh_token"]
    standins.entra.break_client_credential(number)

    refused = refresh(make_app(), token)

    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [number])
    assert standins.entra.counts()["token 401"] == 1


def test_an_outage_a_throttle_and_their_bodies(standins: Stack, make_app: MakeApp) -> None:
    token = connect(make_app(), standins)["refresh_token"]
    standins.entra.throttle(seconds=7)
    assert refresh(make_app(), token)["error_codes"] == [90055]
    standins.entra.throttle(seconds=7, html=True)
    with pytest.raises(ValueError, match="Expecting value"):
        refresh(make_app(), token)
    app = make_app()
    standins.entra.be_unavailable()
    with pytest.raises(msal.exceptions.MsalServiceError):
        refresh(app, token)


def post(stack: Stack, **form: str) -> Tokens:
    application = stack.entra.application
    usual = {"client_id": application.client_id, "client_secret": application.client_secret}
    url = f"{stack.entra.authority}/oauth2/v2.0/token"
    answer: Tokens = requests.post(url, data=usual | form, timeout=5).json()
    return answer


def code_for(stack: Stack, app: msal.ConfidentialClientApplication) -> tuple[dict[str, Any], str]:
    flow = begin(app)
    return flow, answered(stack.entra.sign_in(flow["auth_uri"], KARI))["code"]


def test_a_code_is_bound_to_its_verifier_its_redirect_and_one_use(
    standins: Stack, make_app: MakeApp
) -> None:
    flow, code = code_for(standins, make_app())
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}

    assert post(standins, **form)["error_codes"] == [501481]
    wrong = post(standins, **form, code_verifier="x" * 43)
    assert wrong["error_codes"] == [501481]
    elsewhere = form | {"redirect_uri": "http://localhost/elsewhere"}
    assert post(standins, **elsewhere)["error_codes"] == [50011]
    right = form | {"code_verifier": flow["code_verifier"]}
    assert "access_token" in post(standins, **right)
    assert post(standins, **right)["error_codes"] == [54005]
    assert post(standins, **right, nonsense="1")["error_codes"] == [54005]


def test_an_old_code_is_refused(standins: Stack, make_app: MakeApp) -> None:
    flow, code = code_for(standins, make_app())
    standins.entra.expire_codes()

    refused = make_app().acquire_token_by_auth_code_flow(
        flow, {"code": code, "state": flow["state"]}
    )

    assert refused["error_codes"] == [70008]


def test_a_token_request_must_be_complete(standins: Stack, make_app: MakeApp) -> None:
    token = connect(make_app(), standins)["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}

    assert "'scope'" in post(standins, **form)["error_description"]
    assert post(standins, **form, scope="")["error_codes"] == [900144]
    assert post(standins, **form, scope="https://x.example/Y")["error_codes"] == [500011]
    assert post(standins, grant_type="password")["error_codes"] == [70003]
    mangled = form | {"refresh_token": token[:-9], "scope": SMTP[0]}
    assert post(standins, **mangled)["error_codes"] == [9002313]


def test_less_may_be_granted_than_asked(standins: Stack, make_app: MakeApp) -> None:
    standins.entra.withhold_scope()
    standins.entra.withhold_refresh_token()

    tokens = connect(make_app(), standins)

    assert tokens["scope"] == ""
    assert "refresh_token" not in tokens


def test_an_id_token_can_be_altered(standins: Stack, make_app: MakeApp) -> None:
    standins.entra.alter_id_token(aud="another", tid=None)

    claims = connect(make_app(), standins)["id_token_claims"]

    assert claims["aud"] == "another"
    assert "tid" not in claims


def test_a_no_goes_back_with_a_subcode(standins: Stack, make_app: MakeApp) -> None:
    flow = begin(make_app())

    query = answered(standins.entra.sign_in(flow["auth_uri"], KARI, consent=False))

    assert (query["error"], query["error_subcode"]) == ("access_denied", "cancel")
    assert query["error_description"].startswith("AADSTS65004")
    assert query["state"] == flow["state"]


def test_a_tenant_may_want_an_admin(standins: Stack, make_app: MakeApp) -> None:
    standins.entra.require_admin_consent("firma.no")
    flow = begin(make_app())
    query = answered(standins.entra.sign_in(flow["auth_uri"], KARI))
    assert (query["error"], query["error_subcode"]) == ("access_denied", "cancel")
    assert "error_description" not in query

    url = (
        f"{standins.entra.authority}/v2.0/adminconsent?client_id="
        f"{standins.entra.application.client_id}&redirect_uri={CALLBACK}&state=s"
        f"&scope={SMTP[0]} offline_access openid profile email"
    )
    back = answered(standins.entra.approve_for_tenant(url, "admin@firma.no"))
    assert (back["admin_consent"], back["state"]) == ("True", "s")
    assert back["tenant"] == standins.directory.the(KARI).tenant.id
    assert "refresh_token" in connect(make_app(), standins)


@pytest.mark.parametrize(
    ("happen", "number"),
    [
        (lambda stack: stack.entra.disable_user(KARI), 50057),
        (lambda stack: stack.entra.block_by_conditional_access(KARI), 53003),
        (lambda stack: stack.entra.assign(KARI, assigned=False), 50105),
        (lambda stack: stack.entra.disable_application("firma.no"), 7000112),
    ],
)
def test_a_sign_in_can_end_on_a_page_of_entras(
    standins: Stack, make_app: MakeApp, happen: Callable[[Stack], None], number: int
) -> None:
    happen(standins)
    with pytest.raises(StoppedError) as stopped:
        standins.entra.sign_in(begin(make_app())["auth_uri"], KARI)
    assert stopped.value.number == number


def test_another_tenants_person_is_not_let_in(standins: Stack, make_app: MakeApp) -> None:
    tenant = standins.directory.the(KARI).tenant.id
    flow = begin(make_app(f"{standins.entra.url}/{tenant}"))
    with pytest.raises(StoppedError) as stopped:
        standins.entra.sign_in(flow["auth_uri"], "per@annen.no")
    assert stopped.value.number == 50020


def test_an_unknown_redirect_uri_never_gets_a_redirect(standins: Stack, make_app: MakeApp) -> None:
    url = begin(make_app())["auth_uri"].replace("%2Fapi%2Foauth%2Fcallback", "%2Fevil")
    page = requests.get(url, allow_redirects=False, timeout=5)
    assert page.status_code == 400
    assert "AADSTS50011" in page.text


def test_an_unknown_tenant_has_no_metadata(standins: Stack, make_app: MakeApp) -> None:
    with pytest.raises(ValueError, match=r"invalid_tenant|Unable to get authority"):
        make_app(f"{standins.entra.url}/nowhere.example")


@pytest.mark.parametrize(
    ("language", "heading", "asked"),
    [
        ("nb-NO,nb;q=0.9", "Tillatelser forespurt", "Send e-post på vegne av deg med SMTP AUTH"),
        ("en-GB", "Permissions requested", "Send email on your behalf using SMTP AUTH"),
    ],
)
def test_a_browser_meets_sign_in_and_consent(
    standins: Stack, make_app: MakeApp, language: str, heading: str, asked: str
) -> None:
    headers = {"Accept-Language": language}
    flow = begin(make_app())
    page = requests.get(flow["auth_uri"], headers=headers, timeout=5).text
    assert f'value="{KARI}"' in page
    assert 'type="password"' in page

    wrong = submit(standins, page, {"username": KARI, "password": "wrong"}, headers)
    assert "AADSTS50126" in wrong.text
    person = standins.directory.the(KARI)
    typed = {"username": KARI, "password": person.password}
    consent = submit(standins, wrong.text, typed, headers)
    assert heading in consent.text
    assert asked in consent.text
    back = submit(standins, consent.text, {"action": "accept"}, headers)

    assert back.status_code == 302
    tokens = make_app().acquire_token_by_auth_code_flow(flow, answered(back.headers["Location"]))
    assert "refresh_token" in tokens
    again = requests.get(begin(make_app())["auth_uri"], timeout=5).text
    assert submit(standins, again, typed, headers).status_code == 302


def submit(
    stack: Stack, page: str, fields: dict[str, str], headers: dict[str, str]
) -> requests.Response:
    """Fill in the page's first form."""
    action = re.search(r'action="([^"]+)"', page)
    hidden = re.search(r'name="ctx" value="([^"]+)"', page)
    assert action
    assert hidden
    form = {"ctx": hidden[1]} | fields
    url = stack.entra.url + action[1]
    return requests.post(url, data=form, headers=headers, allow_redirects=False, timeout=5)


def test_form_post_carries_the_answer_in_a_form(standins: Stack, make_app: MakeApp) -> None:
    url = begin(make_app())["auth_uri"].replace("response_mode=query", "response_mode=form_post")
    page = requests.get(url, timeout=5).text
    typed = {"username": KARI, "password": standins.directory.the(KARI).password}
    consent = submit(standins, page, typed, {})
    answer = submit(standins, consent.text, {"action": "accept"}, {})
    assert f'action="{CALLBACK}"' in answer.text
    assert 'name="code"' in answer.text


def test_every_secret_is_on_the_list(standins: Stack, make_app: MakeApp) -> None:
    connect(make_app(), standins)
    assert standins.entra.issued().keys() == {
        "code",
        "client_assertion",
        "code_verifier",
        "access_token",
        "refresh_token",
        "id_token",
    }
