"""Who calls: every token that should pass does, every other is refused, and keys are followed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from local.standins import Stack
from local.standins.issuer import Issuer
from shared.caller import Caller
from shared.callers import CallerVerifier
from shared.errors import ServiceError
from shared.issuer import Fetcher, IssuerError

URL = "https://issuer.test"


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer(standins: Stack) -> Issuer:
    return standins.issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> CallerVerifier:
    return CallerVerifier(
        issuer=issuer.url, audience=issuer.audience, customer_claim="customer_id", clock=clock
    )


def refusal(verify: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        verify()
    assert caught.value.__cause__ is None
    return caught.value


def reason(verifier: CallerVerifier, token: str) -> str:
    error = refusal(lambda: verifier.verify(f"Bearer {token}"))
    assert error.code == "invalid-token"
    assert not token or token not in repr(error)
    return error.values["reason"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_of_the_issuer_says_who_calls(
    verifier: CallerVerifier, issuer: Issuer, algorithm: str
) -> None:
    token = issuer.mint("firma", "kari", algorithm=algorithm)

    caller = verifier.verify(f"Bearer {token}")

    assert caller == Caller("firma", "kari", frozenset({"mail.accounts", "mail.send"}))
    assert verifier.is_reachable()


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "mail.send"}, {"mail.send"}),
        ({"scope": None, "scp": "a  b"}, {"a", "b"}),
        ({"scope": None, "scp": ["a", 5, "b"]}, {"a", "b"}),
        ({"scope": "a", "scp": ["b"]}, {"a", "b"}),
        ({"scope": None}, set()),
        ({"scope": 5, "scp": {"a": 1}}, set()),
    ],
)
def test_scopes_are_read_in_each_form(
    verifier: CallerVerifier, issuer: Issuer, claims: dict[str, Any], scopes: set[str]
) -> None:
    assert verifier.verify(f"Bearer {issuer.mint(**claims)}").scopes == scopes


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"name": "Kari  Nordmann"}, "Kari Nordmann"),
        ({"name": " ", "preferred_username": "kari\r\n@x"}, "kari @x"),
        ({"preferred_username": None, "email": "k@x.no"}, "k@x.no"),
        ({"preferred_username": None}, "kari"),
        ({"preferred_username": None, "sub": "x" * 500}, "x" * 200),
    ],
)
def test_the_user_is_named_as_well_as_the_token_can(
    verifier: CallerVerifier, issuer: Issuer, claims: dict[str, Any], user: str
) -> None:
    assert verifier.verify(f"Bearer {issuer.mint(user='kari', **claims)}").user == user


@pytest.mark.parametrize("authorization", [None, "", "Basic a2FyaTpw", "Bearerx", "Token a.b.c"])
def test_without_a_bearer_token_nobody_is_known(
    verifier: CallerVerifier, authorization: str | None
) -> None:
    error = refusal(lambda: verifier.verify(authorization))

    assert error.code == "unauthenticated"


@pytest.mark.parametrize(
    "token", ["", "abc", "a.b", "a.b.c.d", "a.b.c", "a b.c.d", "æ.b.c", "a.b.c\n", "x" * 20_000]
)
def test_what_is_no_token_is_refused(verifier: CallerVerifier, token: str) -> None:
    assert "not" in reason(verifier, token)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://other.no"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": ["other"]}, "audience"),
        ({"aud": {"api://mail": 1}}, "audience"),
        ({"exp": None}, "exp"),
        ({"exp": "2030"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"nbf": "x"}, "nbf"),
        ({"customer_id": None}, "customer"),
        ({"customer_id": ""}, "customer"),
        ({"customer_id": "  "}, "customer"),
        ({"customer_id": "a\nb"}, "customer"),
        ({"customer_id": 17}, "customer"),
        ({"customer_id": ["firma"]}, "customer"),
        ({"customer_id": "x" * 257}, "customer"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    verifier: CallerVerifier, issuer: Issuer, claims: dict[str, Any], why: str
) -> None:
    assert why in reason(verifier, issuer.mint(**claims))


def test_a_token_for_several_audiences_is_for_ours_too(
    verifier: CallerVerifier, issuer: Issuer
) -> None:
    assert verifier.verify(f"bearer  {issuer.mint(aud=['other', issuer.audience])}")


def test_a_token_counts_from_nbf_to_exp_with_a_minute_to_spare(
    verifier: CallerVerifier, issuer: Issuer, clock: Clock
) -> None:
    now = int(clock.now)
    token = issuer.mint(nbf=now, exp=now + 600)

    for moment, expected in ((-61, "yet"), (-59, ""), (659, ""), (661, "expired")):
        clock.now = now + moment
        if expected:
            assert expected in reason(verifier, token)
        else:
            assert verifier.verify(f"Bearer {token}")


def test_another_claim_can_name_the_customer(issuer: Issuer) -> None:
    verifier = CallerVerifier(
        issuer=issuer.url + "/", audience=issuer.audience, customer_claim="https://x.no/org"
    )

    caller = verifier.verify(f"Bearer {issuer.mint(**{'https://x.no/org': 'Ødegård AS'})}")

    assert caller.customer == "Ødegård AS"


def _forged(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, claims)
    ]
    signature = base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signature or b"AA"]).decode()


def test_a_forged_token_is_refused(verifier: CallerVerifier, issuer: Issuer) -> None:
    honest = issuer.mint()
    header = jwt.get_unverified_header(honest)
    claims = jwt.decode(honest, options={"verify_signature": False})
    (public,) = [
        jwt.PyJWK(json.loads(json.dumps(key.jwk()))).key
        for key in issuer._keys
        if key.kid == header["kid"]
    ]
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    thief = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    stolen_kid = jwt.encode(claims, thief, algorithm="RS256", headers={"kid": header["kid"]})
    other_type = jwt.encode(
        claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": header["kid"]}
    )
    forgeries = [
        _forged({**header, "alg": "none"}, claims, lambda _: b""),
        _forged({**header, "alg": "NONE"}, claims, lambda _: b""),
        _forged({**header, "alg": "HS256"}, claims, lambda x: hmac.digest(pem, x, hashlib.sha256)),
        _forged({**header, "alg": "RS256"}, claims, lambda x: hmac.digest(pem, x, hashlib.sha256)),
        _forged({"typ": "JWT"}, claims, lambda _: b"x"),
        _forged({**header, "kid": 5}, claims, lambda _: b"x"),
        _forged({**header, "alg": ["RS256"]}, claims, lambda _: b"x"),
        stolen_kid,
        other_type,
        jwt.encode(claims, thief, algorithm="RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, thief, algorithm="RS256"),
        jwt.encode(claims, thief, algorithm="PS256", headers={"kid": header["kid"]}),
        jwt.encode(claims, thief, algorithm="RS256", headers={"jwk": {}, "kid": header["kid"]}),
        jwt.encode(claims, thief, "RS256", headers={"crit": ["exp"], "kid": header["kid"]}),
        honest.rsplit(".", 1)[0] + ".AAAA",
        ".".join([honest.split(".")[0], issuer.mint("annen").split(".")[1], honest.split(".")[2]]),
    ]

    for forgery in forgeries:
        assert reason(verifier, forgery)
    assert verifier.verify(f"Bearer {honest}")


def test_new_keys_are_followed_and_withdrawn_ones_forgotten(
    verifier: CallerVerifier, issuer: Issuer
) -> None:
    old = issuer.mint()
    assert verifier.verify(f"Bearer {old}")

    issuer.rotate_keys(keep_old=True)
    assert verifier.verify(f"Bearer {issuer.mint()}")
    assert verifier.verify(f"Bearer {old}")

    issuer.rotate_keys(keep_old=False)
    assert verifier.verify(f"Bearer {issuer.mint()}")
    assert "not the issuer's" in reason(verifier, old)


def test_unknown_keys_make_us_ask_the_issuer_only_so_often(
    verifier: CallerVerifier, issuer: Issuer, clock: Clock
) -> None:
    verifier.verify(f"Bearer {issuer.mint()}")
    thief = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def attack() -> int:
        before = issuer.counts().get("keys", 0)
        for number in range(20):
            reason(verifier, jwt.encode({}, thief, "RS256", headers={"kid": f"k{number}"}))
        return issuer.counts().get("keys", 0) - before

    assert attack() == 5
    assert attack() == 0
    clock.now += 31
    assert attack() == 1


def test_known_keys_serve_while_the_issuer_is_down(
    verifier: CallerVerifier, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.mint(exp=int(clock.now) + 100_000)
    verifier.verify(f"Bearer {token}")
    issuer.be_unavailable()

    clock.now += 3601
    assert verifier.verify(f"Bearer {token}")
    assert not verifier.is_reachable()

    issuer.restore()
    clock.now += 301
    assert verifier.verify(f"Bearer {token}")
    assert verifier.is_reachable()


def test_a_key_that_cannot_be_looked_up_is_an_outage_and_no_fault_of_the_caller(
    verifier: CallerVerifier, issuer: Issuer
) -> None:
    verifier.verify(f"Bearer {issuer.mint()}")
    issuer.rotate_keys(keep_old=False)
    issuer.be_unavailable()

    error = refusal(lambda: verifier.verify(f"Bearer {issuer.mint()}"))

    assert (error.code, error.retry_after) == ("callers-unavailable", 30)


@pytest.mark.parametrize("trouble", ["unavailable", "error", "dropped"])
def test_without_any_key_the_service_is_unavailable_until_the_issuer_answers(
    verifier: CallerVerifier, issuer: Issuer, clock: Clock, trouble: str
) -> None:
    issuer.fail_next(1, trouble)

    for _ in range(3):
        error = refusal(lambda: verifier.verify(f"Bearer {issuer.mint()}"))
        assert (error.code, error.retry_after) == ("callers-unavailable", 1)
    assert not verifier.is_reachable()
    assert len(issuer.asked) == 1

    clock.now += 2
    assert verifier.verify(f"Bearer {issuer.mint()}")


def test_many_callers_at_once_make_one_question(verifier: CallerVerifier, issuer: Issuer) -> None:
    issuer.slow(0.1)
    token = issuer.mint()
    found: list[Caller] = []

    threads = [
        threading.Thread(target=lambda: found.append(verifier.verify(f"Bearer {token}")))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 12
    assert issuer.counts()["keys"] == 1


def test_old_keys_keep_nobody_waiting_while_one_fetches(
    verifier: CallerVerifier, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.mint(exp=int(clock.now) + 100_000)
    verifier.verify(f"Bearer {token}")
    clock.now += 3601
    issuer.slow(1)
    fetching = threading.Thread(target=lambda: verifier.verify(f"Bearer {token}"))
    fetching.start()
    while not verifier._keys._lock.locked():
        time.sleep(0.01)

    start = time.perf_counter()
    assert verifier.verify(f"Bearer {token}")
    assert time.perf_counter() - start < 0.5
    fetching.join()


def _verifier(documents: dict[str, object]) -> CallerVerifier:
    def fetch(url: str) -> bytes:
        document = documents[url]
        return document if isinstance(document, bytes) else json.dumps(document).encode()

    return CallerVerifier(issuer=URL, audience="a", customer_claim="c", fetch=fetch)


DISCOVERY = f"{URL}/.well-known/openid-configuration"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def _jwk(key: Any = RSA_KEY, **members: object) -> dict[str, object]:  # noqa: ANN401
    kind = ECAlgorithm if hasattr(key, "curve") else RSAAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), **members}


@pytest.mark.parametrize(
    "discovery",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        {},
        {"issuer": "https://other.test", "jwks_uri": f"{URL}/k"},
        {"issuer": 5, "jwks_uri": f"{URL}/k"},
        {"issuer": URL},
        {"issuer": URL, "jwks_uri": 5},
        {"issuer": URL, "jwks_uri": "http://issuer.test/k"},
        {"issuer": URL, "jwks_uri": "file:///etc/passwd"},
        {"issuer": URL, "jwks_uri": "https://["},
    ],
)
def test_a_discovery_that_does_not_hold_gives_no_keys(discovery: object) -> None:
    verifier = _verifier({DISCOVERY: discovery, f"{URL}/k": {"keys": [_jwk()]}})

    assert not verifier.is_reachable()


@pytest.mark.parametrize(
    "keys",
    [
        None,
        {},
        [],
        [5, "x", None],
        [_jwk(use="enc")],
        [_jwk(alg="RS512")],
        [_jwk(kid=5)],
        [{**_jwk(), "n": "!"}],
        [{"kty": "oct", "k": "AAAA"}],
        [{"kty": "RSA"}],
        [_jwk(ec.generate_private_key(ec.SECP384R1()))],
        [_jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024))],
    ],
)
def test_keys_that_may_not_sign_are_no_keys(keys: object) -> None:
    verifier = _verifier(
        {DISCOVERY: {"issuer": URL, "jwks_uri": f"{URL}/k"}, f"{URL}/k": {"keys": keys}}
    )

    assert not verifier.is_reachable()


def test_an_issuer_may_end_in_a_slash_and_leave_its_only_key_unnamed() -> None:
    verifier = _verifier(
        {DISCOVERY: {"issuer": f"{URL}/", "jwks_uri": f"{URL}/k"}, f"{URL}/k": {"keys": [_jwk()]}}
    )
    claims = {"iss": f"{URL}/", "aud": "a", "c": "firma", "exp": time.time() + 60}

    assert verifier.verify(f"Bearer {jwt.encode(claims, RSA_KEY, 'RS256')}").customer == "firma"


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_key_set_of_many_kinds_and_sparse_members_is_as_good(key: Any, algorithm: str) -> None:  # noqa: ANN401 - either kind of key
    """As other issuers publish them: no alg, no use, certificates, keys for other purposes."""
    keys = [
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "A" * 43},
        {"kty": "oct", "kid": "hmac", "k": "AAAA"},
        {"kty": "unheard-of", "kid": "new"},
        _jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048), kid="enc", use="enc"),
        _jwk(ec.generate_private_key(ec.SECP384R1()), kid="p384", alg="ES384"),
        _jwk(kid="rsa", x5t="x", x5c=["MII"], issuer="https://issuer.test/{tenantid}/v2.0"),
        _jwk(EC_KEY, kid="ec", key_ops=["verify"]),
    ]
    found = {
        "issuer": URL,
        "jwks_uri": f"{URL}/k",
        "claims_supported": ["sub"],
        "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.test/t"},
        "request_uri_parameter_supported": False,
    }
    verifier = _verifier({DISCOVERY: found, f"{URL}/k": {"keys": keys, "x": 1}})
    claims = {"iss": URL, "aud": ["a", "b"], "c": "firma", "exp": time.time() + 60.5}
    kid = "rsa" if algorithm == "RS256" else "ec"

    token = jwt.encode(claims, key, algorithm, headers={"kid": kid, "typ": "at+jwt", "x5t": "x"})

    assert verifier.verify(f"bearer {token}").customer == "firma"


def test_a_document_is_fetched_without_redirects_and_within_bounds(issuer: Issuer) -> None:
    fetch = Fetcher()

    assert b"jwks_uri" in fetch(f"{issuer.url}/.well-known/openid-configuration")
    for url in (f"{issuer.url}/nothing", "https://127.0.0.1:1/", "nonsense", "https://[/"):
        with pytest.raises(IssuerError):
            fetch(url)


_VERIFIER = _verifier(
    {DISCOVERY: {"issuer": URL, "jwks_uri": f"{URL}/k"}, f"{URL}/k": {"keys": [_jwk(kid="k")]}}
)
_CLAIMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.text() | st.binary().map(lambda octets: f"Bearer {octets.decode('latin-1')}"))
def test_any_header_is_judged_without_an_accident(authorization: str) -> None:
    assert refusal(lambda: _VERIFIER.verify(authorization)).code in {
        "unauthenticated",
        "invalid-token",
    }


@given(st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "c", "scp", "name"]), _CLAIMS))
def test_any_claims_are_judged_without_an_accident(claims: dict[str, object]) -> None:
    token = jwt.PyJWS().encode(
        json.dumps(claims).encode(), RSA_KEY, algorithm="RS256", headers={"kid": "k"}
    )

    assert refusal(lambda: _VERIFIER.verify(f"Bearer {token}")).code == "invalid-token"


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), _CLAIMS))
def test_any_header_of_a_token_is_judged_without_an_accident(header: dict[str, object]) -> None:
    token = _forged(header, {}, lambda _: b"x")

    assert refusal(lambda: _VERIFIER.verify(f"Bearer {token}")).code == "invalid-token"
