"""Which of our two languages a person reads, from what the browser or the caller prefers."""

DEFAULT = "nb"
"""Spoken when nothing that was asked for is known."""

_SPOKEN = {"nb": "nb", "no": "nb", "nn": "nb", "en": "en"}
_LONGEST = 1000


def preferred_language(accept_language: str | None) -> str:
    """Return ``nb`` or ``en`` for an ``Accept-Language`` field (RFC 9110 section 12.5.4).

    Norwegian in any form is ``nb``. The highest weight wins, the earlier of two equal ones, and
    what cannot be read is passed over.
    """
    best, language = 0.0, DEFAULT
    for item in (accept_language or "")[:_LONGEST].split(","):
        tag, _, parameter = item.partition(";")
        spoken = _SPOKEN.get(tag.strip().lower().partition("-")[0])
        weight = _weight(parameter)
        if spoken and weight > best:
            best, language = weight, spoken
    return language


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0
