"""Secrets that cannot be printed: tokens, codes and keys show themselves only when asked to."""

from typing import Self


class Secret:
    """Text that ``repr``, ``str``, ``format``, pickle never show; ``reveal`` is the way out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text; the caller sends it where it belongs and keeps no copy."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")
