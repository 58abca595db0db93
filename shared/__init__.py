"""The product: sends e-mail as a customer from the customer's own mailbox, unaware of Azure Functions."""
