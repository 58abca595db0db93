"""Pages for readers: the interface at a glance, and what a problem's code means."""

import json
from dataclasses import dataclass
from typing import Any

from shared.guidance import commands_for, every_code, for_code, words_for
from shared.openapi.document import document
from shared.pages.page import Explanation, page, say
from shared.pages.visit import Answer

_PEOPLE = ("user", "admin", "operator")
_METHODS = ("get", "post", "patch", "delete")


type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter of a call or a member of an object: its name, its kind in words, its meaning."""

    name: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer of an operation: status, meaning, and the name of what it carries."""

    status: str
    description: str
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call: what it does, what goes in and what comes out."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Member, ...]
    bodies: tuple[tuple[str, str], ...]
    answers: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """One named kind of value: its meaning, its members, an example as JSON."""

    name: str
    kind: str
    description: str
    members: tuple[Member, ...]
    example: str


def reference(*, public_url: str, product: str) -> Answer:
    """Return the page that describes every call and value, in English as the document is."""
    found = document(public_url)
    return page(
        "docs",
        language="en",
        product=product,
        info=found["info"],
        base=f"{public_url}/api",
        groups={tag["name"]: _operations(found, tag["name"]) for tag in found["tags"]},
        schemas=[_schema(*each) for each in sorted(found["components"]["schemas"].items())],
    )


def _operations(found: Json, tag: str) -> list[Operation]:
    return [
        _operation(found, method, path, item)
        for path, item in found["paths"].items()
        for method in _METHODS
        if method in item and tag in item[method]["tags"]
    ]


def _operation(found: Json, method: str, path: str, item: Json) -> Operation:
    call = item[method]
    parameters = [*item.get("parameters", []), *call.get("parameters", [])]
    content = call.get("requestBody", {}).get("content", {})
    return Operation(
        method=method.upper(),
        path=path,
        summary=call["summary"],
        description=call.get("description", ""),
        parameters=tuple(_parameter(_resolved(found, one)) for one in parameters),
        bodies=tuple((media, _kind(one["schema"])) for media, one in content.items()),
        answers=tuple(
            _answer(status, _resolved(found, one)) for status, one in call["responses"].items()
        ),
    )


def _resolved(found: Json, value: Json) -> Json:
    """Return what a reference inside the document stands for, or *value* where it is none."""
    for step in value.get("$ref", "#").split("/")[1:]:
        found = found[step]
    return found if "$ref" in value else value


def _parameter(one: Json) -> Member:
    kind = f"{one['in']}, {_kind(one['schema'])}"
    description = one.get("description") or one["schema"].get("description", "")
    return Member(one["name"], kind, bool(one.get("required")), description)


def _answer(status: str, one: Json) -> Outcome:
    kinds = [_kind(content.get("schema", {})) for content in one.get("content", {}).values()]
    return Outcome(status, one["description"], kinds[0] if kinds else "")


def _schema(name: str, schema: Json) -> Schema:
    required = schema.get("required", ())
    members = tuple(
        Member(one, _kind(value), one in required, value.get("description", ""))
        for one, value in schema.get("properties", {}).items()
    )
    examples = schema.get("examples", ())
    shown = json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else ""
    return Schema(name, _kind(schema), schema.get("description", ""), members, shown)


def _kind(schema: Json) -> str:
    """Say in words what a schema takes."""
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    for joined in ("anyOf", "oneOf"):
        if joined in schema:
            return " or ".join(_kind(one) for one in schema[joined])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(json.dumps(value) for value in values)
    if isinstance(kinds := schema.get("type"), list):
        known = [_kind({**schema, "type": one}) for one in kinds if one != "null"]
        return " or ".join([*known, *(one for one in kinds if one == "null")])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "any")


def problem_page(code: str, *, language: str, public_url: str, product: str) -> Answer:
    """Return the page a problem's ``type`` leads to; an unknown code gets the page for that."""
    known = code in every_code()
    guidance = for_code(code if known else "not-found")
    below = say(language, "frame", "below")
    shown = {"command": below} if guidance.commands else {}
    words = words_for(guidance, language=language, values={"product": product, **shown})
    return page(
        "explained",
        language=language,
        product=product,
        status=200 if known else 404,
        problem=Explanation(
            title=words.title,
            detail=words.detail,
            action=words.action,
            who=guidance.who if guidance.who in _PEOPLE else "",
            commands=commands_for(guidance, values={}),
        ),
        code=guidance.code,
        reference=f"{public_url}/api/docs",
    )
