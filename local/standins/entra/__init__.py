"""Entra ID: sign-in, consent, and the token endpoint of the v2.0 protocol."""

from local.standins.entra.sign_in import StoppedError
from local.standins.entra.endpoints import Entra

__all__ = ["Entra", "StoppedError"]
