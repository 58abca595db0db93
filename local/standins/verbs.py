"""Domain verbs: the methods of a stand-in that set its state, callable by another process too."""

import base64
import dataclasses
import inspect
from collections import deque
from collections.abc import Callable
from typing import Any


def verb[F: Callable[..., Any]](function: F) -> F:
    """Mark *function* as callable through the control server."""
    function.__dict__["is_verb"] = True
    return function


def verbs_of(standin: object) -> dict[str, Callable[..., Any]]:
    """The verbs of *standin*, by name."""
    found = inspect.getmembers(type(standin), inspect.isfunction)
    return {name: getattr(standin, name) for name, f in found if f.__dict__.get("is_verb")}


def described(standin: object) -> dict[str, str]:
    """Each verb of *standin* with its signature and what it says of itself."""
    return {
        name: f"{inspect.signature(method)} {inspect.getdoc(method) or ''}".strip()
        for name, method in verbs_of(standin).items()
    }


def plain(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """*value* as JSON can hold it: dataclasses as objects, bytes as base64, the rest as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    simple = value is None or isinstance(value, str | int | float | bool)
    return value if simple else str(value)
