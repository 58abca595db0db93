"""Pages for readers: the interface at a glance, and what a problem's code means."""

from dataclasses import dataclass
from typing import Any

from shared.guidance import every_code, for_code, words_for
from shared.openapi.document import document
from shared.pages.page import Explanation, page
from shared.pages.visit import Answer

_PEOPLE = ("user", "admin", "operator")
_METHODS = ("get", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the reference: what is called, what it does, what it may answer."""

    method: str
    path: str
    summary: str
    description: str
    answers: tuple[tuple[str, str], ...]


def reference(*, public_url: str, product: str) -> Answer:
    """Return the page that lists every operation, for people (in English, as the document is)."""
    found = document(public_url)
    groups = {tag["name"]: _operations(found, tag["name"]) for tag in found["tags"]}
    schemas = {
        name: sorted(schema["properties"])
        for name, schema in found["components"]["schemas"].items()
    }
    return page(
        "docs",
        language="en",
        product=product,
        info=found["info"],
        base=f"{public_url}/api",
        groups=groups,
        schemas=schemas,
    )


def _operations(found: dict[str, Any], tag: str) -> list[Operation]:
    return [
        Operation(
            method.upper(),
            path,
            item[method]["summary"],
            item[method].get("description", ""),
            tuple(
                (status, _description(found, response))
                for status, response in item[method]["responses"].items()
            ),
        )
        for path, item in found["paths"].items()
        for method in _METHODS
        if method in item and tag in item[method]["tags"]
    ]


def _description(found: dict[str, Any], response: dict[str, Any]) -> str:
    """Return a response's description, also where it is kept with the components."""
    if reference := response.get("$ref"):
        response = found["components"]["responses"][reference.rpartition("/")[2]]
    text: str = response["description"]
    return text


def problem_page(code: str, *, language: str, public_url: str, product: str) -> Answer:
    """Return the page a problem's ``type`` leads to; an unknown code gets the page for that."""
    known = code in every_code()
    guidance = for_code(code if known else "not-found")
    words = words_for(guidance, language=language, values={"product": product})
    return page(
        "problem",
        language=language,
        product=product,
        status=200 if known else 404,
        problem=Explanation(
            title=words.title,
            detail=words.detail,
            action=words.action,
            who=guidance.who if guidance.who in _PEOPLE else "",
        ),
        retry=None,
        admin_url=None,
        home=f"{public_url}/api/docs",
    )
