"""Delivery: what happens to a message between its 202 and its end."""
