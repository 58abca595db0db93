"""Makes an ARM template (languageVersion 2.0, symbolic names) of plain, flat Bicep.

Enough of the real compiler for a rehearsal: the same shape and the same expressions, so that what
evaluates the template evaluates what was written. It checks that every symbol is declared; it
checks no types.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.arm.bicep.parser import BicepError, parse
from local.arm.bicep.syntax import (
    Array,
    Call,
    Declaration,
    File,
    Index,
    Interpolation,
    Literal,
    Loop,
    Member,
    Name,
    Node,
    Object,
    Operation,
    Property,
    walk,
)

SCHEMAS = {
    "subscription": "2018-05-01/subscriptionDeploymentTemplate.json#",
    "resourceGroup": "2019-04-01/deploymentTemplate.json#",
}
OPERATORS = {
    "?": "if",
    "!": "not",
    "==": "equals",
    "&&": "and",
    "||": "or",
    "??": "coalesce",
    ">": "greater",
    ">=": "greaterOrEquals",
    "<": "less",
    "<=": "lessOrEquals",
    "+": "add",
    "-": "sub",
}
LIMITS = ("minLength", "maxLength", "minValue", "maxValue")
GRAPH = "Microsoft.Graph/"
"""How the types begin that an extension makes."""
NOT_IN_BODY = {"name", "parent", "scope", "dependsOn", "params"}

type Bindings = dict[str, str]
"""What loop variables stand for, as ARM expressions."""


@dataclass
class Compiler:
    file: File
    folder: Path
    scope: str = "resourceGroup"
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def template(self) -> dict[str, Any]:
        for one in self.file.of("targetScope"):
            self.scope = str(self.value(_given(one.value), {}))
        return {
            "$schema": f"https://schema.management.azure.com/schemas/{SCHEMAS[self.scope]}",
            "languageVersion": "2.0",
            "contentVersion": "1.0.0.0",
            "metadata": {
                one.name: self.value(_given(one.value), {}) for one in self.of("metadata")
            },
            "parameters": {one.name: self.parameter(one) for one in self.of("param")},
            "variables": self.object(_together(self.of("var")), {}),
            "resources": {
                one.name: self.module(one) if one.kind == "module" else self.resource(one)
                for one in self.of("resource", "module")
            },
            "outputs": {
                one.name: {"type": one.type, "value": self.value(_given(one.value), {})}
                for one in self.of("output")
            },
        }

    def of(self, *kinds: str) -> tuple[Declaration, ...]:
        return self.file.of(*kinds)

    def parameter(self, declared: Declaration) -> dict[str, Any]:
        made: dict[str, Any] = {"type": declared.type}
        if declared.value is not None:
            made["defaultValue"] = self.value(declared.value, {})
        for name in LIMITS:
            if found := declared.decorator(name):
                made[name] = self.value(found.arguments[0], {})
        if found := declared.decorator("allowed"):
            made["allowedValues"] = self.value(found.arguments[0], {})
        if found := declared.decorator("description"):
            made["metadata"] = {"description": self.value(found.arguments[0], {})}
        return made

    # resources and modules -----------------------------------------------------------------

    def resource(self, declared: Declaration) -> dict[str, Any]:
        if declared.type.startswith(GRAPH):
            return self.extended(declared)
        kind, _, version = declared.type.partition("@")
        bound = self.bindings(declared)
        body = _body(declared)
        made: dict[str, Any] = {"type": kind, "apiVersion": version}
        if declared.existing:
            made["existing"] = True
        made["name"] = self.joined(self.names(declared, bound), bound)
        if scope := body.get("scope"):
            made["scope"] = f"[{self.identifier(scope, bound)}]"
        made |= {
            str(self.value(one.key, bound)): self.value(one.value, bound)
            for one in body.properties
            if not (isinstance(one.key, Literal) and one.key.value in NOT_IN_BODY)
        }
        return made | self.around(declared, bound)

    def extended(self, declared: Declaration) -> dict[str, Any]:
        """A resource that an extension makes: all it has are properties."""
        if (extension := next(iter(self.of("extension")), None)) is None:
            raise self.fail(declared, f"no extension is declared for '{declared.type}'")
        made: dict[str, Any] = {"import": extension.name, "type": declared.type}
        made["properties"] = self.object(_body(declared), {})
        return made | self.around(declared, {})

    def module(self, declared: Declaration) -> dict[str, Any]:
        path = (self.folder / declared.type).resolve()
        inner = compile_file(path)
        body = _body(declared)
        passed = body.get("params")
        given = passed.properties if isinstance(passed, Object) else ()
        made: dict[str, Any] = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2025-04-01",
            "name": f"{declared.name}-{_short(declared.type)}",
        }
        if (scope := body.get("scope")) is not None:
            made["resourceGroup"] = f"[{self.text(Member(scope, 'name'), {})}]"
        made["properties"] = {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": {
                str(self.value(one.key, {})): {"value": self.value(one.value, {})} for one in given
            },
            "template": inner,
        }
        return made | self.around(declared, {})

    def around(self, declared: Declaration, bound: Bindings) -> dict[str, Any]:
        """What stands around the body: condition, copies, dependencies."""
        made: dict[str, Any] = {}
        if declared.condition is not None:
            made["condition"] = f"[{self.text(declared.condition, bound)}]"
        if declared.loop is not None:
            source = self.text(declared.loop.source, {})
            made["copy"] = {"name": declared.name, "count": f"[length({source})]"}
        if not declared.existing and (needs := self.dependencies(declared)):
            made["dependsOn"] = sorted(needs)
        return made

    def dependencies(self, declared: Declaration) -> set[str]:
        """The resources and modules that have to be there first."""
        needs: set[str] = set()
        for node in walk((declared.value, declared.condition)):
            target = self.file.named(node.name) if isinstance(node, Name) else None
            if target is None or target.kind not in {"resource", "module"}:
                continue
            needs |= self.dependencies(target) if target.existing else {target.name}
        return needs

    def bindings(self, declared: Declaration) -> Bindings:
        return self.bind(declared, "copyIndex()") if declared.loop else {}

    def bind(self, declared: Declaration, index: str) -> Bindings:
        if (loop := declared.loop) is None:
            return {}
        bound = {loop.item: f"{self.text(loop.source, {})}[{index}]"}
        return bound | ({loop.index: index} if loop.index else {})

    def names(self, declared: Declaration, bound: Bindings) -> list[Node | str]:
        """The segments of the resource's name, its parents' first; text is already ARM."""
        body = _body(declared)
        own: list[Node | str] = [_given(body.get("name"))]
        if (parent := body.get("parent")) is None:
            return own
        target, inner = self.target(parent, bound)
        return [
            self.text(one, inner) if isinstance(one, Node) else one
            for one in self.names(target, inner)
        ] + own

    def target(self, node: Node, bound: Bindings) -> tuple[Declaration, Bindings]:
        """The resource a node names, with what its loop variables are there."""
        index = None
        if isinstance(node, Index):
            index, node = self.text(node.index, bound), node.target
        found = self.file.named(node.name) if isinstance(node, Name) else None
        if found is None or found.kind not in {"resource", "module"}:
            raise self.fail(node, "names no resource")
        return found, self.bind(found, index) if index is not None else {}

    def identifier(self, node: Node, bound: Bindings) -> str:
        """The resource id of what *node* names."""
        target, inner = self.target(node, bound)
        segments = [
            self.text(one, inner) if isinstance(one, Node) else one
            for one in self.names(target, inner)
        ]
        given = [_quoted(target.type.partition("@")[0]), *segments]
        if target.kind == "resource" and (scope := _body(target).get("scope")) is not None:
            given.insert(0, self.identifier(scope, inner))
            return f"extensionResourceId({', '.join(given)})"
        function = "subscriptionResourceId" if self.scope == "subscription" else "resourceId"
        return f"{function}({', '.join(given)})"

    def joined(self, segments: list[Node | str], bound: Bindings) -> Any:  # noqa: ANN401 - JSON
        if len(segments) == 1 and isinstance(segments[0], Node):
            return self.value(segments[0], bound)
        texts = [self.text(one, bound) if isinstance(one, Node) else one for one in segments]
        pattern = "/".join(f"{{{number}}}" for number in range(len(texts)))
        return f"[format('{pattern}', {', '.join(texts)})]"

    # values and expressions ----------------------------------------------------------------

    def value(self, node: Node, bound: Bindings) -> Any:  # noqa: ANN401 - JSON
        if isinstance(node, Literal):
            escaped = isinstance(node.value, str) and node.value.startswith("[")
            return f"[{node.value}" if escaped else node.value
        if isinstance(node, Object):
            return self.object(node, bound)
        if isinstance(node, Array):
            return [self.value(one, bound) for one in node.items]
        return f"[{self.text(node, bound)}]"

    def object(self, node: Object, bound: Bindings) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in node.properties:
            key = str(self.value(one.key, bound))
            if isinstance(one.value, Loop):
                loop, source = one.value, self.text(one.value.source, bound)
                inner = bound | {loop.item: f"{source}[copyIndex('{key}')]"}
                copy = {"name": key, "count": f"[length({source})]"}
                made.setdefault("copy", []).append(copy | {"input": self.value(loop.body, inner)})
            else:
                made[key] = self.value(one.value, bound)
        return made

    def text(self, node: Node, bound: Bindings) -> str:
        """The node as an ARM expression, without the brackets around it."""
        if isinstance(node, Literal):
            return _quoted(node.value) if isinstance(node.value, str) else _plain(node.value)
        if isinstance(node, Interpolation):
            return self.format(node.pieces, bound)
        if isinstance(node, Name):
            return self.symbol(node, node.name, bound)
        if isinstance(node, Member | Index):
            return self.access(node, bound)
        name, inner = self.call(node)
        return f"{name}({', '.join(self.text(one, bound) for one in inner)})"

    def call(self, node: Node) -> tuple[str, tuple[Node, ...]]:
        """The ARM function a node is, with what it is called with."""
        match node:
            case Operation(operator, operands):
                return OPERATORS[operator], operands
            case Call(name, arguments):
                return name, arguments
            case Array(items):
                return "createArray", items
        raise self.fail(node, "cannot be compiled here")

    def format(self, pieces: tuple[Node, ...], bound: Bindings) -> str:
        pattern = ""
        arguments: list[str] = []
        for one in pieces:
            if isinstance(one, Literal):
                pattern += str(one.value).replace("{", "{{").replace("}", "}}")
            else:
                pattern += f"{{{len(arguments)}}}"
                arguments.append(self.text(one, bound))
        return f"format({', '.join([_quoted(pattern), *arguments])})"

    def symbol(self, node: Node, name: str, bound: Bindings) -> str:
        if name in bound:
            return bound[name]
        found = self.file.named(name)
        if found is None or found.kind not in {"param", "var"}:
            raise self.fail(node, f"'{name}' is not declared as a value")
        return f"{'parameters' if found.kind == 'param' else 'variables'}({_quoted(name)})"

    def access(self, node: Member | Index, bound: Bindings) -> str:
        path: list[Member | Index] = []
        root: Node = node
        while isinstance(root, Member | Index) and not self.is_resource(root, bound):
            path.insert(0, root)
            root = root.target
        if not self.is_resource(root, bound):
            return self.text(root, bound) + "".join(self.segment(one, bound) for one in path)
        first, *rest = path
        name = first.name if isinstance(first, Member) else ""
        target, inner = self.target(root, bound)
        made_by_graph = target.type.startswith(GRAPH)
        if name == "id" and not made_by_graph:
            return self.identifier(root, bound)
        if name == "name" and not made_by_graph:
            last = self.names(target, inner)[-1]
            return self.text(last, inner) if isinstance(last, Node) else last
        referred = _quoted(target.name)
        if isinstance(root, Index):
            referred = f"format('{target.name}[{{0}}]', {self.text(root.index, bound)})"
        kept = rest if name == "properties" else path
        tail = ".value" if target.kind == "module" else ""
        return f"reference({referred})" + "".join(self.segment(one, bound) for one in kept) + tail

    def is_resource(self, node: Node, bound: Bindings) -> bool:
        if isinstance(node, Index):
            node = node.target
        if not isinstance(node, Name) or node.name in bound:
            return False
        found = self.file.named(node.name)
        return found is not None and found.kind in {"resource", "module"}

    def segment(self, node: Member | Index, bound: Bindings) -> str:
        if isinstance(node, Member):
            return f".{node.name}"
        return f"[{self.text(node.index, bound)}]"

    def fail(self, node: Node, what: str) -> BicepError:
        return BicepError(f"{self.file.path}:{node.line}: {what}")


def compile_file(path: Path) -> dict[str, Any]:
    """Compile one file and its modules; raises BicepError."""
    file = parse(path)
    return Compiler(file, path.parent).template()


def _together(declared: tuple[Declaration, ...]) -> Object:
    """The values of *declared* as one object."""
    named = ((Literal(one.name, line=one.line), _given(one.value)) for one in declared)
    return Object(tuple(Property(key, value, line=key.line) for key, value in named))


def _given(node: Node | None) -> Node:
    if node is None:
        raise BicepError("a value is missing")
    return node


def _body(declared: Declaration) -> Object:
    if not isinstance(declared.value, Object):
        raise BicepError(f"{declared.name} has no body")
    return declared.value


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(value: object) -> str:
    return f"{json.dumps(value)}()" if value is None or isinstance(value, bool) else str(value)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:13]
