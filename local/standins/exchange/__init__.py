"""Exchange Online's client submission: SMTP, STARTTLS, XOAUTH2, and the mailboxes behind."""

from local.standins.exchange.server import Exchange

__all__ = ["Exchange"]
