"""Members of a JSON object, taken by name and type; every fault is found, none stops the rest."""

import json
import unicodedata
from collections.abc import Collection, Iterator

from shared.errors import Fault
from shared.strict_json import LongText

_NAME_SHOWN = 64


class Members:
    """One object of a request at *pointer*; what is wrong with it is appended to *faults*.

    *known* names the members that it may have. A member that is absent is None or empty, and so is
    one that is ``null``: many serializers write what nobody set as null.
    """

    def __init__(
        self, value: object, pointer: str, known: Collection[str], faults: list[Fault]
    ) -> None:
        self.faults = faults
        self._pointer = pointer
        self._values: dict[str, object] = {}
        self._nulls: Collection[str] = ()
        if not isinstance(value, dict):
            faults.append(Fault(pointer, "must be an object"))
            return
        self._values = {name: one for name, one in value.items() if one is not None}
        self._nulls = value.keys() - self._values.keys()
        for name in [name for name in value if name not in known]:
            self.fault(name, f"is not a known member; known are {', '.join(known)}")

    def __contains__(self, name: str) -> bool:
        """Tell whether the member is there, right or wrong, and not null."""
        return name in self._values

    def is_null(self, name: str) -> bool:
        """Tell whether the member is there as null, where that says something of its own."""
        return name in self._nulls

    def fault(self, name: str, detail: str) -> None:
        """Remember that something is wrong with the member *name*."""
        self.faults.append(Fault(self.pointer(name), detail))

    def pointer(self, name: str) -> str:
        """Return the JSON pointer of the member *name* (RFC 6901)."""
        return f"{self._pointer}/{escaped(name[:_NAME_SHOWN])}"

    def value(self, name: str) -> object:
        """Return the member as it is, or None."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """Return a string of any length and content."""
        if name not in self._values:
            return None
        value = self._values[name]
        if isinstance(value, str | LongText):
            return str(value)
        self.fault(name, "must be a string")
        return None

    def line(self, name: str, *, limit: int, required: bool = False) -> str | None:
        """Return a string of one line, at most *limit* characters, without control characters."""
        if required and name not in self._values:
            self.fault(name, "is missing")
        text = self.text(name)
        if text is None:
            return None
        if len(text) > limit:
            self.fault(name, f"is longer than {limit} characters")
        elif not is_one_line(text):
            self.fault(name, "holds a control character or line break")
        elif required and not text.strip():
            self.fault(name, "is empty")
        else:
            return text
        return None

    def items(self, name: str, *, limit: int) -> Iterator[tuple[str, object]]:
        """Yield pointer and value of each item of a list; none of them when it is too long."""
        if name not in self._values:
            return
        value = self._values[name]
        if not isinstance(value, list):
            self.fault(name, "must be a list")
        elif len(value) > limit:
            self.fault(name, f"has {len(value)} items; at most {limit} are allowed")
        else:
            yield from ((f"{self.pointer(name)}/{at}", item) for at, item in enumerate(value))

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return a string that is one of *choices*."""
        text = self.text(name)
        if text is None or text in choices:
            return text
        self.fault(name, f"must be one of {', '.join(map(json.dumps, choices))}")
        return None


def escaped(name: str) -> str:
    """Write *name* as one step of a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def is_one_line(text: str) -> bool:
    """Tell whether *text* may stand in a header: no controls, no line or paragraph separators."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in text)
