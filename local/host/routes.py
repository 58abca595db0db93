"""Routes of HTTP functions: templates, constraints and precedence as the Functions host has them.

A literal segment goes before a parameter, a parameter with more constraints before one with fewer,
a longer template before a shorter one. A request whose method no route takes finds nothing (404),
only HEAD is special: a GET function answers it, any other says 405.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from local.host.errors import StartError
from local.host.functions import Function

NUMBER = re.compile(r"[+-]?\d+")
GUID = re.compile(r"\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)


def _is_integer(text: str, low: float = float("-inf"), high: float = float("inf")) -> bool:
    return NUMBER.fullmatch(text) is not None and low <= int(text) <= high


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


CONSTRAINTS: Mapping[str, Callable[..., bool]] = {
    "int": lambda text: _is_integer(text, -(2**31), 2**31 - 1),
    "long": lambda text: _is_integer(text, -(2**63), 2**63 - 1),
    "double": _is_float,
    "decimal": _is_float,
    "float": _is_float,
    "bool": lambda text: text.lower() in {"true", "false"},
    "guid": lambda text: GUID.fullmatch(text) is not None,
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "required": bool,
    "min": lambda text, low: _is_integer(text, low=int(low)),
    "max": lambda text, high: _is_integer(text, high=int(high)),
    "range": lambda text, low, high: _is_integer(text, int(low), int(high)),
    "minlength": lambda text, low: len(text) >= int(low),
    "maxlength": lambda text, high: len(text) <= int(high),
    "length": lambda text, low, high=None: int(low) <= len(text) <= int(high or low),
    "regex": lambda text, *pattern: re.search(",".join(pattern), text) is not None,
}
PARAMETER = re.compile(
    r"\{(?P<all>\*{0,2})(?P<name>\w+)(?P<rules>(?::\w+(?:\((?:[^()]|\([^()]*\))*\))?)*)"
    r"(?:=(?P<default>[^}?]*))?(?P<optional>\?)?\}"
)
RULE = re.compile(r":(\w+)(?:\(((?:[^()]|\([^()]*\))*)\))?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A ``{name:constraint}`` of a template."""

    name: str
    rules: tuple[tuple[str, tuple[str, ...]], ...]
    default: str | None

    def allows(self, text: str) -> bool:
        """Tell whether *text* satisfies every constraint."""
        return all(CONSTRAINTS[rule](text, *arguments) for rule, arguments in self.rules)


@dataclass(frozen=True, slots=True)
class Route:
    """One function's template, ready to be matched. *methods* is empty for all."""

    function: Function
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    precedence: tuple[Any, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Give the route parameters when *path* fits, else None."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values: dict[str, str] = {}
        for parameter in self.parameters:
            text = found[parameter.name]
            if not text:
                if parameter.default is not None:
                    values[parameter.name] = parameter.default
            elif parameter.allows(text):
                values[parameter.name] = text
            else:
                return None
        return values


def read_route(function: Function, prefix: str) -> Route:
    """Compile the route of an HTTP function; without one it is the function's name."""
    template = (function.trigger.get("route") or function.name).strip("/")
    if template.partition("/")[0].lower() in {"admin", "runtime"} and not prefix:
        raise StartError(f"{function.name}: the route {template!r} is reserved for the host")
    template = f"{prefix}/{template}" if prefix else template
    parameters: list[Parameter] = []
    pattern, precedence = "", []
    for segment in _split(template):
        source, optional, rank = _compile_segment(function, segment, parameters)
        separator = "/" if pattern else ""
        pattern += f"(?:{separator}{source})?" if optional else f"{separator}{source}"
        precedence.append(rank)
    methods = frozenset(method.upper() for method in function.trigger.get("methods") or ())
    return Route(
        function,
        template,
        methods,
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        tuple(parameters),
        (*precedence, (2,)),
    )


def find(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Find the route for a request; *routes* are in order of precedence, *path* is decoded."""
    for route in routes:
        takes = route.methods | {"HEAD"} if "GET" in route.methods else route.methods
        if (not takes or method in takes) and (values := route.match(path)) is not None:
            return route, values
    return None


def decode(raw_path: str) -> str:
    """Decode a request's path but for ``%2F``, which stays what it is, no separator."""
    return "/".join(
        "%2F".join(unquote(part) for part in re.split("%2F", segment, flags=re.IGNORECASE))
        for segment in raw_path.strip("/").split("/")
    )


def _split(template: str) -> list[str]:
    """Split at slashes outside braces (a regular expression may hold one)."""
    return re.findall(r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^/{}])+", template)


def _compile_segment(
    function: Function, segment: str, parameters: list[Parameter]
) -> tuple[str, bool, tuple[Any, ...]]:
    """Give the segment's pattern, whether it may be absent, and its rank among others."""
    pattern, position, optional = "", 0, False
    rank: tuple[Any, ...] = (0, segment.lower())
    for found in PARAMETER.finditer(segment):
        parameter = _parameter(function, found)
        parameters.append(parameter)
        if found.start() == 0:
            rank = (1, -len(parameter.rules), bool(found["all"]))
        optional = bool(found["optional"]) or found["default"] is not None or bool(found["all"])
        inside = ".*" if found["all"] else "[^/]+?"
        pattern += re.escape(segment[position : found.start()]) + f"(?P<{parameter.name}>{inside})"
        position = found.end()
    rest = segment[position:]
    if "{" in rest or "}" in rest:
        raise StartError(f"{function.name}: cannot read {segment!r} in its route")
    return pattern + re.escape(rest), optional, rank


def _parameter(function: Function, found: re.Match[str]) -> Parameter:
    rules = []
    for name, arguments in RULE.findall(found["rules"]):
        if name not in CONSTRAINTS:
            raise StartError(f"{function.name}: unknown route constraint {name!r}")
        rules.append((name, tuple(arguments.split(",")) if arguments else ()))
    return Parameter(found["name"], tuple(rules), found["default"])
