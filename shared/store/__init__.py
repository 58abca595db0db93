"""Where things are kept: a partition per mailbox, large content in Blob, secrets in the vault."""
