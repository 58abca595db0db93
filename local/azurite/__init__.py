"""Azure Storage on this machine: Microsoft's own emulator, started, awaited and stopped."""

from local.azurite.emulator import Azurite, AzuriteError, running

__all__ = ["Azurite", "AzuriteError", "running"]
