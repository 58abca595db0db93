"""The tokens Entra makes: for Exchange, about the person, and opaque ones for itself."""

import base64
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from local.standins.directory import Person
from local.standins.entra.application import OIDC_SCOPES, RESOURCES
from local.standins.signing import SigningKey, times

ACCESS_SECONDS = 4_500  # 75 minutes, the average of what Entra gives
PADDING = 8  # role ids, for the size real tokens have


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What Exchange reads in a token."""

    username: str
    scopes: frozenset[str]
    expires_at: float
    issued_at: float


class Tokens:
    """Makes and reads tokens; remembers every secret so that tests can look for leaks."""

    def __init__(self, client_id: str, application: str) -> None:
        self.key = SigningKey()
        self.life: float = ACCESS_SECONDS
        self.issued: dict[str, list[str]] = {}
        self.alterations: dict[str, Any] = {}
        self._client_id = client_id
        self._application = application

    def reset(self) -> None:
        self.life = ACCESS_SECONDS
        self.issued.clear()
        self.alterations = {}

    def remember(self, kind: str, secret: str) -> str:
        self.issued.setdefault(kind, []).append(secret)
        return secret

    def opaque(self, kind: str, size: int) -> str:
        """A new secret that says nothing to anyone but Entra."""
        prefix = {"code": "1.AW", "refresh_token": "1.AX"}[kind]
        return self.remember(kind, f"{prefix}{secrets.token_urlsafe(size)}")

    def access_token(self, person: Person, scopes: frozenset[str], life: float) -> str:
        """A version 1.0 token for Exchange, about as long as a real one."""
        given, _, family = person.name.partition(" ")
        resource = next(
            (s.rpartition("/")[0] for s in scopes if s not in OIDC_SCOPES), RESOURCES[0]
        )
        claims = times(life) | {
            "aud": resource,
            "iss": f"https://sts.windows.net/{person.tenant.id}/",
            "acct": 0,
            "acr": "1",
            "amr": ["pwd", "mfa"] if person.mfa_required else ["pwd"],
            "app_displayname": self._application,
            "appid": self._client_id,
            "appidacr": "2",
            "family_name": family,
            "given_name": given,
            "idtyp": "user",
            "ipaddr": "192.0.2.10",
            "name": person.name,
            "oid": person.object_id,
            "puid": secrets.token_hex(8).upper(),
            "rh": f"1.{secrets.token_urlsafe(48)}.",
            "scp": " ".join(sorted(s.rpartition("/")[2] for s in scopes - OIDC_SCOPES)),
            "sid": str(uuid.uuid4()),
            "sub": secrets.token_urlsafe(32),
            "tid": person.tenant.id,
            "unique_name": person.username,
            "upn": person.username,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
            "wids": [str(uuid.uuid4()) for _ in range(PADDING)],
        }
        return self.remember("access_token", self.key.sign(claims, x5t=self.key.kid))

    def read_access_token(self, token: str) -> AccessToken | None:
        """What *token* says when it was made here, expired or not; else None."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(self.key.jwk()).key,
                algorithms=["RS256"],
                audience=list(RESOURCES),
                options={"verify_exp": False},
            )
        except jwt.InvalidTokenError:
            return None
        return AccessToken(
            username=claims["upn"],
            scopes=frozenset(claims["scp"].split()),
            expires_at=claims["exp"],
            issued_at=claims["iat"],
        )

    def id_token(
        self, person: Person, *, host: str, nonce: str | None, scopes: frozenset[str]
    ) -> str:
        claims = times(3_600) | {
            "aud": self._client_id,
            "iss": f"{host}/{person.tenant.id}/v2.0",
            "name": person.name,
            "oid": person.object_id,
            "preferred_username": person.username,
            "rh": f"1.{secrets.token_urlsafe(24)}.",
            "sub": secrets.token_urlsafe(32),
            "tid": person.tenant.id,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }
        if "email" in scopes:
            claims["email"] = person.username
        if nonce:
            claims["nonce"] = nonce
        claims = {k: v for k, v in (claims | self.alterations).items() if v is not None}
        return self.remember("id_token", self.key.sign(claims))

    def client_info(self, person: Person) -> str:
        text = f'{{"uid":"{person.object_id}","utid":"{person.tenant.id}"}}'
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def now() -> float:
    return time.time()
