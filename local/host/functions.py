"""A function as the host sees it: a name, one trigger, and where its outputs go."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.host.errors import StartError

TRIGGERS = frozenset({"httpTrigger", "queueTrigger", "timerTrigger"})
OUTPUTS = frozenset({"http", "queue"})


@dataclass(frozen=True, slots=True)
class Function:
    """One indexed function. *trigger* and *outputs* are bindings as function.json words them."""

    id: str
    name: str
    trigger: Mapping[str, Any]
    outputs: tuple[Mapping[str, Any], ...]

    @property
    def kind(self) -> str:
        """Say which trigger it has, for example ``queueTrigger``."""
        return str(self.trigger["type"])


def read_function(function_id: str, name: str, raw_bindings: list[str]) -> Function:
    """Sort the bindings of a function; refuse those this host cannot serve."""
    bindings = [json.loads(raw) for raw in raw_bindings]
    triggers = [binding for binding in bindings if binding["type"].endswith("Trigger")]
    others = [binding for binding in bindings if binding not in triggers]
    for binding in bindings:
        if binding["type"] not in TRIGGERS | OUTPUTS:
            raise StartError(f"{name}: this host does not serve the binding {binding['type']!r}")
    if len(triggers) != 1:
        raise StartError(f"{name}: a function has one trigger, this one has {len(triggers)}")
    return Function(function_id, name, triggers[0], tuple(others))


def is_disabled(name: str) -> bool:
    """Tell whether the app setting that switches this function off is on."""
    settings = (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs__{name}__Disabled")
    return any(os.environ.get(setting, "").lower() in {"1", "true"} for setting in settings)


def resolve(text: str) -> str:
    """Fill in the app settings a binding names as ``%SETTING%``."""

    def setting(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value is None:
            raise StartError(f"the app setting {match[1]} is missing: a binding says {match[0]}")
        return value

    return re.sub(r"%([^%]+)%", setting, text)
