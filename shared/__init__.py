"""The product: sends e-mail as customers from their own mailboxes, unaware of Azure Functions."""
