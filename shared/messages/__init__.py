"""Messages: what a caller asked to have sent, finished by RFC 5322, and what becomes of it."""
