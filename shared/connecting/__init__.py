"""Connecting: how a mailbox owner gives an account the right to send, and how that is checked."""
