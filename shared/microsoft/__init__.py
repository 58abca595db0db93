"""Microsoft as it is met on the wire: sign-in and tokens at Entra, submission at Exchange."""
