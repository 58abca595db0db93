"""The problem document: a row of the catalogue as RFC 9457 writes it, in the reader's language."""

from collections.abc import Mapping, Sequence

from shared.errors import Fault
from shared.guidance.catalogue import for_code
from shared.guidance.wording import words_for

_NO_VALUES: Mapping[str, str] = {}


def problem_document(
    code: str,
    *,
    language: str,
    public_url: str,
    values: Mapping[str, str] = _NO_VALUES,
    faults: Sequence[Fault] = (),
    instance: str | None = None,
) -> dict[str, object]:
    """Return the members of an ``application/problem+json`` body (RFC 9457 section 3).

    ``type`` is the page that explains the row, under *public_url*. Besides the standard members:
    ``code``, ``who``, ``action``, and ``errors`` when there are *faults*. *values* are inserted as
    plain text; what is missing becomes a neutral word.
    """
    guidance = for_code(code)
    words = words_for(guidance, language=language, values=values)
    document: dict[str, object] = {
        "type": f"{public_url}/api/problems/{guidance.code}",
        "title": words.title,
        "status": guidance.status,
        "detail": words.detail,
    }
    if instance is not None:
        document["instance"] = instance
    document |= {"code": guidance.code, "who": guidance.who, "action": words.action}
    if faults:
        document["errors"] = [
            {"pointer": fault.pointer, "detail": fault.detail} for fault in faults
        ]
    return document
