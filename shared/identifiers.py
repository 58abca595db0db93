"""Identifiers: opaque, URL-safe, sortable by time, reversible so that the newest comes first."""

import re
import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_REVERSED = str.maketrans(_ALPHABET, _ALPHABET[::-1])
_SHAPE = re.compile(f"[{_ALPHABET}]{{26}}")


def new_identifier(now: datetime) -> str:
    """Return a fresh identifier: *now* in milliseconds (48 bits), 80 random bits; base 32."""
    return _encode(int(now.timestamp() * 1000), secrets.randbits(80))


def is_identifier(text: str) -> bool:
    """Tell whether *text* has the shape of an identifier, before it is used as a key."""
    return _SHAPE.fullmatch(text) is not None


def newest_first(identifier: str) -> str:
    """Turn *identifier* into a key that sorts later ones first; applied twice it gives it back."""
    return identifier.translate(_REVERSED)


def timestamp_of(identifier: str) -> float:
    """Return when *identifier* was made, in seconds since the epoch."""
    number = 0
    for character in identifier[:10]:
        number = number << 5 | _ALPHABET.index(character)
    return number / 1000


def first_identifier_at(moment: datetime) -> str:
    """Return the lowest identifier that *moment* can have, as the bound of a range."""
    return _encode(int(moment.timestamp() * 1000), 0)


def _encode(milliseconds: int, random_bits: int) -> str:
    number = milliseconds << 80 | random_bits
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
