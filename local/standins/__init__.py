"""Stand-ins for the outside systems: strict, over TLS where the real one is, faults on demand."""

from local.standins.stack import Stack

__all__ = ["Stack"]
