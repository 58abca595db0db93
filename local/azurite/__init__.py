"""Azure Storage on this machine: Microsoft's own emulator, started, awaited and stopped."""

from local.azurite.emulator import ACCOUNT, ACCOUNT_KEY, Azurite, AzuriteError, running

__all__ = ["ACCOUNT", "ACCOUNT_KEY", "Azurite", "AzuriteError", "running"]
