"""Entra ID: sign-in, consent, and the token endpoint of the v2.0 protocol."""

from local.standins.entra.endpoints import Entra
from local.standins.entra.sign_in import StoppedError

__all__ = ["Entra", "StoppedError"]
