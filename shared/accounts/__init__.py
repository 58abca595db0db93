"""Accounts: one customer's permission to send from one mailbox, and what state it is in."""
