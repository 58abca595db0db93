"""The vault: refresh tokens stored, read, forgotten; its failures named."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.identity import ManagedIdentityCredential

from local.standins.key_vault import KeyVault
from shared.errors import ServiceError
from shared.secrecy import Secret
from shared.store.vault import Vault

ACCOUNT = "01jdabcdefghjkmnpqrstvwxyz"


def test_a_refresh_token_comes_back_with_the_time_it_was_written(vault: Vault) -> None:
    vault.put_refresh_token(ACCOUNT, Secret("1.AXtoken"))

    stored = vault.get_refresh_token(ACCOUNT)

    assert stored is not None
    assert stored.token == Secret("1.AXtoken")
    assert abs(stored.written_at - datetime.now(UTC)) < timedelta(seconds=5)


def test_there_is_none_where_none_was_stored(vault: Vault) -> None:
    assert vault.get_refresh_token(ACCOUNT) is None


def test_neither_name_nor_tags_say_whose_it_is(vault: Vault, key_vault: KeyVault) -> None:
    vault.put_refresh_token(ACCOUNT, Secret("1.AXtoken"))

    assert key_vault.names() == [f"refresh-token-{ACCOUNT}"]
    [version] = key_vault.describe(f"refresh-token-{ACCOUNT}")
    assert version["tags"] == {"holds": "refresh-token"}


def test_forgetting_disables_every_version_and_deletes(vault: Vault, key_vault: KeyVault) -> None:
    vault.put_refresh_token(ACCOUNT, Secret("1.AXone"))
    vault.put_refresh_token(ACCOUNT, Secret("1.AXtwo"))

    vault.forget_refresh_token(ACCOUNT)

    assert vault.get_refresh_token(ACCOUNT) is None
    versions = key_vault.describe(f"refresh-token-{ACCOUNT}")
    assert [version["enabled"] for version in versions] == [False, False]
    assert all(version["deleted"] for version in versions)


def test_forgetting_twice_is_as_good_as_once(vault: Vault) -> None:
    vault.put_refresh_token(ACCOUNT, Secret("1.AXone"))

    vault.forget_refresh_token(ACCOUNT)
    vault.forget_refresh_token(ACCOUNT)
    vault.forget_refresh_token("01jdnever")


@pytest.mark.parametrize("trouble", ["ForbiddenByRbac", "unavailable", "dropped"])
def test_every_failure_is_named_and_holds_no_secret(
    vault: Vault, key_vault: KeyVault, trouble: str
) -> None:
    key_vault.fail_next(0, trouble)

    with pytest.raises(ServiceError, match="vault-unavailable") as caught:
        vault.put_refresh_token(ACCOUNT, Secret("1.AXtoken"))

    assert "1.AXtoken" not in repr(caught.value)
    assert not vault.is_healthy()


def test_a_hiccup_is_retried(vault: Vault, key_vault: KeyVault) -> None:
    vault.put_refresh_token(ACCOUNT, Secret("1.AXtoken"))
    key_vault.fail_next(1, "unavailable")

    assert vault.get_refresh_token(ACCOUNT) is not None


def test_an_empty_vault_is_healthy(vault: Vault) -> None:
    assert vault.is_healthy()


def test_a_challenge_of_another_domain_is_a_failure_of_the_vault(
    key_vault: KeyVault, credential: ManagedIdentityCredential
) -> None:
    """The SDK answers it with a ValueError: no token may go where the vault's domain is not."""
    elsewhere = Vault(key_vault.url.replace("127.0.0.1", "localhost"), credential)

    with pytest.raises(ServiceError, match="vault-unavailable"):
        elsewhere.get_refresh_token(ACCOUNT)

    elsewhere.close()
