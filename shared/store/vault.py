"""The vault: refresh tokens and the sealing key, kept as Key Vault secrets and nowhere else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient, SecretProperties

from shared.errors import ServiceError
from shared.sealing import SealingKey
from shared.secrecy import Secret

_log = logging.getLogger(__name__)

_SEALING_KEY = "sealing-key"
_REFRESH_TOKEN = "refresh-token-"  # noqa: S105 - the beginning of a name
_VERSIONS_DISABLED = 20  # newest first; written weekly and dead after 90 days, older ones are void
_KEYS_READ = 10  # versions of the sealing key: two, and more when many made the first at once


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A refresh token and when this version of it was written, UTC."""

    token: Secret
    written_at: datetime


class Vault:
    """One Key Vault. Secret names come from account ids, which are never reused.

    A deleted name stays blocked for the vault's retention time, so names must not come back. Every
    method raises ServiceError ``vault-unavailable`` when the vault cannot be used.
    """

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._client = SecretClient(
            vault_url=url,
            credential=credential,
            connection_timeout=5,
            read_timeout=10,
            retry_total=3,
            retry_backoff_factor=0.4,
            retry_backoff_max=5,
            timeout=20,
        )

    def put_refresh_token(self, account_id: str, refresh_token: Secret) -> None:
        """Store *refresh_token* as the newest version of the account's secret."""
        with _vault_errors():
            self._client.set_secret(
                _REFRESH_TOKEN + account_id,
                refresh_token.reveal(),
                content_type="text/plain",
                tags={"holds": "refresh-token"},
            )

    def get_refresh_token(self, account_id: str) -> StoredToken | None:
        """Return the newest refresh token, or None when there is none."""
        try:
            with _vault_errors():
                secret = self._client.get_secret(_REFRESH_TOKEN + account_id)
        except ResourceNotFoundError:
            return None
        if not secret.value:
            return None
        return StoredToken(Secret(secret.value), _written_at(secret.properties))

    def forget_refresh_token(self, account_id: str) -> None:
        """Disable the refresh token's versions, then delete the secret; gone already is as good.

        Disabled first, because a deleted secret can be recovered until its retention ends. The
        deletion is begun, not awaited.
        """
        name = _REFRESH_TOKEN + account_id
        try:
            with _vault_errors():
                for properties in self._versions(name)[:_VERSIONS_DISABLED]:
                    self._client.update_secret_properties(name, properties.version, enabled=False)
                self._client.begin_delete_secret(name)
        except ResourceNotFoundError:
            return

    def live_sealing_keys(self) -> list[SealingKey]:
        """Return the enabled versions of the sealing key, newest first."""
        try:
            with _vault_errors():
                newest = self._versions(_SEALING_KEY)[:_KEYS_READ]
                return [self._sealing_key(properties) for properties in newest]
        except ResourceNotFoundError:
            return []

    def add_sealing_key(self, key: Secret) -> None:
        """Store a new version of the sealing key."""
        with _vault_errors():
            self._client.set_secret(
                _SEALING_KEY,
                key.reveal(),
                content_type="application/octet-stream; encoding=base64url",
            )

    def retire_sealing_key(self, version: str) -> None:
        """Disable one version of the sealing key."""
        with _vault_errors():
            self._client.update_secret_properties(_SEALING_KEY, version, enabled=False)

    def is_healthy(self) -> bool:
        """Tell whether the vault answers and lets us in; raises nothing."""
        try:
            next(iter(self._client.list_properties_of_secret_versions(_SEALING_KEY)), None)
        except ResourceNotFoundError:
            return True
        except AzureError:
            return False
        return True

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def _sealing_key(self, properties: SecretProperties) -> SealingKey:
        secret = self._client.get_secret(_SEALING_KEY, properties.version)
        return SealingKey(
            version=str(properties.version),
            key=Secret(secret.value or ""),
            created_at=_written_at(properties),
        )

    def _versions(self, name: str) -> list[SecretProperties]:
        """Return the enabled versions, newest first; those of one second in a fixed order."""
        found = self._client.list_properties_of_secret_versions(name)
        enabled = [properties for properties in found if properties.enabled is not False]
        return sorted(enabled, key=lambda one: (_written_at(one), str(one.version)), reverse=True)


def _written_at(properties: SecretProperties) -> datetime:
    """Return when the version was made; an update of its attributes does not make it younger."""
    return properties.created_on or properties.updated_on or datetime.fromtimestamp(0, UTC)


@contextmanager
def _vault_errors() -> Iterator[None]:
    """Turn the SDK's failures into ours; that something is absent is for the caller to judge."""
    try:
        yield
    except ResourceNotFoundError:
        raise
    except AzureError as error:
        raise ServiceError("vault-unavailable") from error
    except ValueError as error:  # how the SDK refuses a foreign challenge
        _log.error("event=vault_challenge_refused reason=%r", str(error))
        raise ServiceError("vault-unavailable") from error
