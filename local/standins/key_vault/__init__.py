"""Key Vault's secrets: the data-plane protocol and the rules it keeps."""

from local.standins.key_vault.vault import KeyVault

__all__ = ["KeyVault"]
