"""Exchange Online's client submission: SMTP with STARTTLS and XOAUTH2, and the mailboxes behind it."""

from local.standins.exchange.server import Exchange

__all__ = ["Exchange"]
