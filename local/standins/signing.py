"""Signing keys and the JWTs made with them: RS256 and ES256, published as a JWKS."""

import base64
import json
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


class SigningKey:
    """One key pair with its id; *algorithm* is RS256 or ES256."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self.algorithm = algorithm
        self.kid = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self._private = ec.generate_private_key(ec.SECP256R1())
        self._public = self._private.public_key()

    def sign(self, claims: dict[str, Any], **headers: str) -> str:
        """*claims* as a compact JWS; *headers* join ``alg``, ``typ`` and ``kid``."""
        return jwt.encode(
            claims, self._private, algorithm=self.algorithm, headers={"kid": self.kid} | headers
        )

    def verify(self, token: str, *, audience: str | list[str] | None = None) -> dict[str, Any]:
        """The claims of *token*; raises ``jwt.InvalidTokenError`` when it does not hold."""
        claims: dict[str, Any] = jwt.decode(
            token,
            self._public,
            algorithms=[self.algorithm],
            audience=audience,
            options={"verify_aud": audience is not None, "require": ["exp", "iss", "aud"]},
        )
        return claims

    def jwk(self) -> dict[str, Any]:
        if isinstance(self._public, rsa.RSAPublicKey):
            text = RSAAlgorithm.to_jwk(self._public)
        else:
            text = ECAlgorithm.to_jwk(self._public)
        public: dict[str, Any] = json.loads(text) if isinstance(text, str) else dict(text)
        public.pop("key_ops", None)
        return public | {"kid": self.kid, "use": "sig", "alg": self.algorithm}


def times(seconds: float) -> dict[str, int]:
    """``iat``, ``nbf`` and ``exp`` of a token that lives *seconds* from now."""
    now = int(time.time())
    return {"iat": now, "nbf": now - 5, "exp": now + int(seconds)}
