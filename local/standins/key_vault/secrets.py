"""What a vault holds and the rules about it; knows nothing of HTTP."""

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
SIZE_LIMIT = 25 * 1024
TAG_LIMIT = 15
TAG_LENGTH = 512
CONTENT_TYPE_LENGTH = 255
RETENTION_DAYS = 90
RETENTION_SECONDS = RETENTION_DAYS * 86_400


class RefusedError(Exception):
    """A request the vault does not grant, in the vault's own words."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner


@dataclass(slots=True)
class Version:
    """One version of a secret; times in Unix seconds."""

    id: str
    value: str
    enabled: bool
    created: int
    updated: int
    content_type: str | None
    tags: dict[str, str]
    expires: int | None = None
    not_before: int | None = None

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.updated,
            "recoveryLevel": "Recoverable",
            "recoverableDays": RETENTION_DAYS,
        }
        if self.expires is not None:
            found["exp"] = self.expires
        if self.not_before is not None:
            found["nbf"] = self.not_before
        return found


@dataclass(slots=True)
class StoredSecret:
    """A secret's versions, oldest first; *deleted* is when, or None."""

    name: str
    versions: list[Version] = field(default_factory=list)
    deleted: int | None = None


class Secrets:
    """All secrets of a vault, soft-deleted ones too; names compare without case."""

    def __init__(self) -> None:
        self._by_name: dict[str, StoredSecret] = {}

    def clear(self) -> None:
        self._by_name.clear()

    def all(self, *, deleted: bool = False) -> list[StoredSecret]:
        found = [s for s in list(self._by_name.values()) if (s.deleted is not None) == deleted]
        return sorted(found, key=lambda secret: secret.name)

    def put(self, name: str, given: dict[str, Any]) -> tuple[StoredSecret, Version]:
        """Make a new version from a request body."""
        check_name(name)
        value = given.get("value")
        if not isinstance(value, str):
            raise RefusedError(400, "BadParameter", "Property  has invalid value")
        if len(value.encode()) > SIZE_LIMIT:
            raise RefusedError(
                400, "BadParameter", f"The secret value exceeds {SIZE_LIMIT} characters."
            )
        secret = self._by_name.get(name.lower())
        if secret is not None and secret.deleted is not None:
            raise RefusedError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name "
                "cannot be reused; in this state, the secret can only be recovered or purged.",
                "ObjectIsDeletedButRecoverable",
            )
        if secret is None:
            secret = self._by_name[name.lower()] = StoredSecret(name)
        now = int(time.time())
        version = Version(uuid.uuid4().hex, value, True, now, now, None, {})  # noqa: FBT003
        change(version, given)
        secret.versions.append(version)
        return secret, version

    def get(self, name: str, version: str = "") -> tuple[StoredSecret, Version]:
        """The newest version, or that one."""
        check_name(name)
        secret = self._by_name.get(name.lower())
        missing = RefusedError(
            404,
            "SecretNotFound",
            f"A secret with (name/id) {name}{f'/{version}' if version else ''} was not found in "
            "this key vault. If you recently deleted this secret you may be able to recover it "
            "using the correct recovery command.",
        )
        if secret is None or secret.deleted is not None:
            raise missing
        if not version:
            return secret, secret.versions[-1]
        for candidate in secret.versions:
            if candidate.id == version:
                return secret, candidate
        raise missing

    def delete(self, name: str) -> StoredSecret:
        secret, _ = self.get(name)
        secret.deleted = int(time.time())
        return secret

    def get_deleted(self, name: str) -> StoredSecret:
        check_name(name)
        secret = self._by_name.get(name.lower())
        if secret is None or secret.deleted is None:
            raise RefusedError(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return secret

    def recover(self, name: str) -> StoredSecret:
        secret = self.get_deleted(name)
        secret.deleted = None
        return secret


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise RefusedError(
            400,
            "BadParameter",
            "The request URI contains an invalid name: " + name,
        )


def change(version: Version, given: dict[str, Any]) -> None:
    """Set what a request body may set of a version."""
    tags = given.get("tags")
    if tags is not None:
        if len(tags) > TAG_LIMIT or any(
            len(text) > TAG_LENGTH for pair in tags.items() for text in pair
        ):
            raise RefusedError(400, "BadParameter", "The tags exceed their limits.")
        version.tags = dict(tags)
    content_type = given.get("contentType")
    if content_type is not None:
        if len(content_type) > CONTENT_TYPE_LENGTH:
            raise RefusedError(400, "BadParameter", "contentType is too long.")
        version.content_type = content_type
    attributes = given.get("attributes") or {}
    version.enabled = bool(attributes.get("enabled", version.enabled))
    version.expires = attributes.get("exp", version.expires)
    version.not_before = attributes.get("nbf", version.not_before)
    version.updated = int(time.time())
