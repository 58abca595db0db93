"""Deploys ARM templates: parameters checked, resources in dependency order, outputs."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from local.arm.expressions import Evaluation, TemplateError
from local.arm.subscription import ArmError, Subscription

ENVIRONMENT = {
    "name": "AzureCloud",
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
    "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
}


@dataclass
class Deployment:
    """One run of one template, in a subscription or in a resource group of it."""

    subscription: Subscription
    template: dict[str, Any]
    given: dict[str, Any]
    group: str | None = None
    graph: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
    done: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Make every resource and return the outputs."""
        try:
            self.values = self.parameters()
            for symbol in self.order():
                self.make(symbol, self.template["resources"][symbol])
            outputs = self.template.get("outputs", {})
            return {
                name: {"type": one["type"], "value": self.typed(name, one)}
                for name, one in outputs.items()
            }
        except TemplateError as error:
            raise ArmError("InvalidTemplate", str(error)) from error

    # parameters and functions --------------------------------------------------------------

    def parameters(self) -> dict[str, Any]:
        declared = self.template.get("parameters", {})
        if strange := set(self.given) - set(declared):
            raise TemplateError(f"the parameters {sorted(strange)} are not declared")
        values: dict[str, Any] = {}
        for name, one in declared.items():
            if name in self.given:
                values[name] = self.given[name]["value"]
            elif "defaultValue" in one:
                values[name] = self.evaluation().value(one["defaultValue"])
            else:
                raise TemplateError(
                    f"the value for the template parameter '{name}' is not provided"
                )
            _fits(name, one, values[name])
        return values

    def evaluation(self) -> Evaluation:
        subscription = self.subscription
        return Evaluation(
            {
                "parameters": lambda name: self.value_of("parameters", self.values, name),
                "variables": self.variable,
                "reference": self.reference,
                "resourceId": self.resource_id,
                "subscriptionResourceId": self.subscription_resource_id,
                "extensionResourceId": lambda scope, *parts: scope + _providers(*parts),
                "environment": lambda: ENVIRONMENT,
                "tenant": lambda: {"tenantId": subscription.tenant_id},
                "subscription": lambda: {
                    "subscriptionId": subscription.id,
                    "tenantId": subscription.tenant_id,
                    "id": f"/subscriptions/{subscription.id}",
                },
            }
        )

    def value_of(self, kind: str, values: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
        if name not in values:
            raise TemplateError(f"the template {kind} has no '{name}'")
        return values[name]

    def variable(self, name: str) -> Any:  # noqa: ANN401 - JSON
        variables = self.template.get("variables", {})
        for one in variables.get("copy", []):
            if one["name"] == name:
                return self.evaluation().value({"copy": [one]})[name]
        return self.evaluation().value(self.value_of("variables", variables, name))

    def reference(self, symbol: str) -> Any:  # noqa: ANN401 - JSON
        name, _, rest = symbol.partition("[")
        declared = self.template["resources"].get(name)
        if declared is None:
            raise TemplateError(f"reference to '{name}', which the template does not declare")
        if declared.get("existing"):
            return self.subscription.get(self.identifier(declared, self.evaluation()))[
                "properties"
            ]
        if name not in self.done:
            raise TemplateError(
                f"reference to '{name}', which is not there yet: dependsOn lacks it"
            )
        found = self.done[name]
        return found[int(rest[:-1])] if rest else found

    def resource_id(self, *parts: str) -> str:
        subscription, group = self.subscription.id, self.group
        words = list(parts)
        if "/" not in words[0] and "/" not in words[1]:
            subscription, group, *words = words
        elif "/" not in words[0]:
            group, *words = words
        if group is None:
            raise TemplateError("resourceId needs a resource group here")
        return f"/subscriptions/{subscription}/resourceGroups/{group}" + _providers(*words)

    def subscription_resource_id(self, kind: str, *names: str) -> str:
        if kind == "Microsoft.Resources/resourceGroups":
            return f"/subscriptions/{self.subscription.id}/resourceGroups/{names[0]}"
        return f"/subscriptions/{self.subscription.id}" + _providers(kind, *names)

    # resources -----------------------------------------------------------------------------

    def order(self) -> list[str]:
        resources = self.template.get("resources", {})
        needs = {symbol: set(one.get("dependsOn", ())) for symbol, one in resources.items()}
        if unknown := set().union(*needs.values()) - set(resources) if needs else set():
            raise TemplateError(f"dependsOn names {sorted(unknown)}, which the template lacks")
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise TemplateError(f"circular dependency: {error.args[1]}") from error

    def make(self, symbol: str, declared: dict[str, Any]) -> None:
        evaluation = self.evaluation()
        if declared.get("existing") or not evaluation.value(declared.get("condition", True)):
            return
        body = {key: one for key, one in declared.items() if key not in ("dependsOn", "condition")}
        if copies := body.pop("copy", None):
            count = evaluation.value(copies["count"])
            turns = [evaluation.at(None, number, body) for number in range(count)]
            self.done[symbol] = [self.place(one) for one in turns]
        elif "import" in declared:
            self.done[symbol] = self.extended(evaluation.value(body))
        elif declared["type"] == "Microsoft.Resources/deployments":
            self.done[symbol] = {"outputs": self.nested(body, evaluation)}
        else:
            self.done[symbol] = self.place(evaluation.value(body))

    def nested(self, body: dict[str, Any], evaluation: Evaluation) -> dict[str, Any]:
        """Run a module: its template is evaluated inside, its parameters here."""
        inner = body["properties"]
        group = evaluation.value(body["resourceGroup"]) if "resourceGroup" in body else self.group
        given = evaluation.value(inner["parameters"])
        return Deployment(self.subscription, inner["template"], given, group, self.graph).run()

    def extended(self, body: dict[str, Any]) -> dict[str, Any]:
        """Let the extension make what is its own: here, only that of Microsoft Graph."""
        if self.graph is None:
            raise TemplateError(f"no extension makes '{body['type']}'")
        return self.graph(body["type"].partition("@")[0], body["properties"])

    def identifier(self, declared: dict[str, Any], evaluation: Evaluation) -> str:
        names = str(evaluation.value(declared["name"])).split("/")
        if scope := declared.get("scope"):
            return f"{evaluation.value(scope)}{_providers(declared['type'], *names)}"
        if declared["type"] == "Microsoft.Resources/resourceGroups":
            return self.subscription_resource_id(declared["type"], *names)
        return self.resource_id(declared["type"], *names)

    def place(self, body: dict[str, Any]) -> dict[str, Any]:
        identifier = self.identifier(body, self.evaluation())
        version = body.pop("apiVersion")
        if not version:
            raise TemplateError(f"{identifier} has no API version")
        body.pop("scope", None)
        sent = copy.deepcopy(body) | {"name": str(body["name"]).rpartition("/")[2]}
        properties: dict[str, Any] = self.subscription.put(identifier, sent).get("properties", {})
        return properties

    def typed(self, name: str, declared: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        value = self.evaluation().value(declared["value"])
        if not isinstance(value, TYPES[declared["type"]]):
            raise TemplateError(f"the output '{name}' is no {declared['type']}: {value!r}")
        return value


def preview(deployment: Deployment) -> list[tuple[str, str]]:
    """Return what running *deployment* would change; nothing is changed."""
    trial = replace(deployment, subscription=copy.deepcopy(deployment.subscription), graph=None)
    trial.subscription.changes.clear()
    trial.run()
    return trial.subscription.changes


def _providers(kind: str, *names: str) -> str:
    provider, *types = kind.split("/")
    if len(types) != len(names):
        raise TemplateError(f"'{kind}' needs {len(types)} names, not {len(names)}")
    pairs = "".join(f"/{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"/providers/{provider}{pairs}"


def _fits(name: str, declared: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - JSON
    """Raise when a parameter's value is not of its type or outside its limits."""
    kind = declared["type"]
    wrong_bool = isinstance(value, bool) != (kind == "bool")
    if not isinstance(value, TYPES[kind]) or wrong_bool:
        raise TemplateError(f"the parameter '{name}' has to be {kind}, not {value!r}")
    if "allowedValues" in declared and value not in declared["allowedValues"]:
        raise TemplateError(f"the parameter '{name}' may not be {value!r}")
    size = len(value) if isinstance(value, str | list) else value
    low = declared.get("minLength", declared.get("minValue"))
    high = declared.get("maxLength", declared.get("maxValue"))
    if (low is not None and size < low) or (high is not None and size > high):
        raise TemplateError(f"the parameter '{name}' is outside its limits: {value!r}")
