"""The Key Vault stand-in, spoken to by the real SDK with its checks on."""

import pytest
import requests
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from local.standins import Stack


def test_a_secret_is_set_read_and_versioned(standins: Stack, secrets: SecretClient) -> None:
    first = secrets.set_secret("token-1", "one", tags={"a": "b"}, content_type="text/plain")
    second = secrets.set_secret("token-1", "two")

    assert secrets.get_secret("token-1").value == "two"
    assert secrets.get_secret("TOKEN-1", first.properties.version).value == "one"
    versions = list(secrets.list_properties_of_secret_versions("token-1"))
    assert [v.version for v in versions] == [first.properties.version, second.properties.version]
    assert versions[0].tags == {"a": "b"}
    assert versions[1].content_type is None
    assert [s.name for s in secrets.list_properties_of_secrets()] == ["token-1"]
    assert standins.key_vault.values("token-1") == ["one", "two"]


def test_the_sdk_checks_the_challenges_resource(
    standins: Stack, credential: ManagedIdentityCredential
) -> None:
    url = f"https://localhost:{standins.key_vault.port}"
    with (
        SecretClient(url, credential, retry_total=0) as elsewhere,
        pytest.raises(ValueError, match="does not match the requested domain"),
    ):
        elsewhere.get_secret("a")


def test_a_challenge_comes_first_and_names_tenant_and_resource(standins: Stack) -> None:
    url = f"{standins.key_vault.url}/secrets/a?api-version=2026-04-01"
    answer = requests.put(url, timeout=5)

    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge == (
        f'Bearer authorization="https://login.microsoftonline.com/{standins.identity.tenant_id}", '
        f'resource="https://0.0.1:{standins.key_vault.port}"'
    )


def test_only_tokens_of_the_identity_for_the_vault_are_taken(standins: Stack) -> None:
    standins.key_vault.empty()
    url = f"{standins.key_vault.url}/secrets?api-version=7.4"
    for token in ("rubbish", standins.identity.token("https://storage.azure.com")):
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(url, headers=headers, timeout=5).status_code == 401
    right = standins.identity.token("https://vault.azure.net")
    headers = {"Authorization": f"Bearer {right}"}
    assert requests.get(url, headers=headers, timeout=5).json() == {"value": [], "nextLink": None}
    strange = url.replace("7.4", "1.0")
    assert requests.get(strange, headers=headers, timeout=5).status_code == 400


def test_a_disabled_version_cannot_be_read(secrets: SecretClient) -> None:
    made = secrets.set_secret("a", "one")
    secrets.update_secret_properties("a", made.properties.version, enabled=False)

    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret("a")

    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.innererror["code"] == "SecretDisabled"


def test_a_deleted_name_is_blocked_recoverable_and_not_purged(
    standins: Stack, secrets: SecretClient
) -> None:
    secrets.set_secret("a", "one")
    secrets.begin_delete_secret("a").wait()

    with pytest.raises(ResourceNotFoundError):
        secrets.get_secret("a")
    with pytest.raises(ResourceExistsError) as blocked:
        secrets.set_secret("a", "two")
    assert blocked.value.error is not None
    assert blocked.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert [s.name for s in secrets.list_deleted_secrets()] == ["a"]
    assert secrets.get_deleted_secret("a").recovery_id
    with pytest.raises(HttpResponseError) as kept:
        secrets.purge_deleted_secret("a")
    assert kept.value.status_code == 403
    assert standins.key_vault.deleted_names() == ["a"]
    secrets.begin_recover_deleted_secret("a").wait()
    assert secrets.get_secret("a").value == "one"


def test_names_and_sizes_have_limits(secrets: SecretClient) -> None:
    secrets.set_secret("a", "x" * 25 * 1024)
    for name, value in (("a", "x" * (25 * 1024 + 1)), ("a_b", "x"), ("a" * 128, "x")):
        with pytest.raises(HttpResponseError) as refused:
            secrets.set_secret(name, value)
        assert refused.value.status_code == 400


def test_lists_come_in_pages(secrets: SecretClient) -> None:
    names = [f"s-{number:02}" for number in range(30)]
    for name in names:
        secrets.set_secret(name, "x")

    assert [s.name for s in secrets.list_properties_of_secrets()] == names
    assert len(list(secrets.list_properties_of_secrets(max_page_size=7))) == 30


def test_the_vault_can_refuse_and_recover(standins: Stack, secrets: SecretClient) -> None:
    secrets.set_secret("a", "one")
    standins.key_vault.forbid(times=1)
    with pytest.raises(HttpResponseError) as forbidden:
        secrets.get_secret("a")
    assert forbidden.value.error is not None
    assert forbidden.value.error.innererror["code"] == "ForbiddenByRbac"
    standins.key_vault.throttle(seconds=1)
    with pytest.raises(HttpResponseError) as throttled:
        secrets.get_secret("a")
    assert throttled.value.status_code == 429
    standins.key_vault.be_unavailable()
    with pytest.raises(HttpResponseError):
        secrets.get_secret("a")
    standins.key_vault.restore()
    standins.key_vault.drop()
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        secrets.get_secret("a")
    assert secrets.get_secret("a").value == "one"


def test_operations_are_counted(standins: Stack, secrets: SecretClient) -> None:
    secrets.set_secret("a", "one")
    secrets.get_secret("a")

    counts = standins.key_vault.counts()

    assert counts["set 200"] == 1
    assert counts["get 200"] == 1


def test_the_vault_can_be_down_and_come_back(standins: Stack, secrets: SecretClient) -> None:
    secrets.set_secret("a", "one")
    standins.key_vault.down()
    with pytest.raises(ServiceRequestError):
        secrets.get_secret("a")
    standins.key_vault.up()
    assert secrets.get_secret("a").value == "one"


@pytest.mark.parametrize(("moment", "stored"), [("before", []), ("after", ["one"])])
def test_a_request_can_be_watched_and_cut_before_and_after_its_effect(
    standins: Stack, secrets: SecretClient, moment: str, stored: list[str]
) -> None:
    secrets.set_secret("other", "is there")  # so that it is let in
    seen: list[tuple[str, str]] = []

    def watch(endpoint: str, when: str) -> bool:
        seen.append((endpoint, when))
        return when == moment

    standins.key_vault.watch = watch
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        secrets.set_secret("token-9", "one")

    assert seen[-1] == ("set", moment)
    assert standins.key_vault.values("token-9") == stored
