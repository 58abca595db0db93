"""Where things are kept: a partition per mailbox, content there or in Blob, secrets in the vault."""
