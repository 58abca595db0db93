"""Filling a row's words, commands and link with the values of one account, as plain text."""

import re
from collections.abc import Mapping

from shared.guidance.catalogue import Guidance, Words

NEUTRAL: Mapping[str, Mapping[str, str]] = {
    "username": {"nb": "brukernavnet", "en": "the user name"},
    "address": {"nb": "avsenderadressen", "en": "the sender address"},
    "product": {"nb": "programmet", "en": "the program"},
    "tenant": {"nb": "organisasjonen", "en": "the organisation"},
    "client_id": {"nb": "appens ID", "en": "the ID of the app"},
    "signed_in_as": {"nb": "en annen bruker", "en": "another user"},
    "reply": {"nb": "ikke oppgitt", "en": "not given"},
    "admin_consent_url": {
        "nb": "lenken til godkjenning på siden for IT",
        "en": "the approval link on the page for IT",
    },
    "connect_url": {
        "nb": "knappen for å koble til i kontodialogen",
        "en": "the connect button in the account dialog",
    },
    "scope": {"nb": "mail.accounts eller mail.send", "en": "mail.accounts or mail.send"},
    "limit": {"nb": "en fast grense", "en": "a fixed limit"},
    "allow": {"nb": "de som står i Allow", "en": "those in the Allow field"},
    "reason": {"nb": "ikke oppgitt", "en": "not given"},
    "status": {"nb": "ikke oppgitt", "en": "not given"},
    "command": {"nb": "kommandoen på siden for IT", "en": "the command on the page for IT"},
    "link": {"nb": "lenken på siden for IT", "en": "the link on the page for IT"},
}
"""Every placeholder that a row may use, and what stands there when no value is known."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_LONGEST = 2000
_BARE_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def words_for(guidance: Guidance, *, language: str, values: Mapping[str, str]) -> Words:
    """Return the row's words in *language*, with *values* filled in and nothing left open.

    For the row's own ``command`` and ``link`` *values* may have other words.
    """
    commands = commands_for(guidance, values=values)
    link = link_for(guidance, values=values)
    own = {"command": commands[0] if commands else "", "link": link or ""}
    known = {**own, **values}
    words = guidance.words[language if language in guidance.words else "nb"]
    return Words(
        title=_filled(words.title, known, language),
        detail=_filled(words.detail, known, language),
        action=_filled(words.action, known, language),
    )


def commands_for(guidance: Guidance, *, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the row's command lines, each value one argument; ``<name>`` where none is known."""
    return tuple(
        _PLACEHOLDER.sub(lambda found: _argument(found[1], values), line)
        for line in guidance.commands
    )


def link_for(guidance: Guidance, *, values: Mapping[str, str]) -> str | None:
    """Return the row's link, or None when there is none or its value is not known."""
    if guidance.link is None:
        return None
    return _PLACEHOLDER.sub(lambda found: _clean(values.get(found[1], "")), guidance.link) or None


def _filled(template: str, values: Mapping[str, str], language: str) -> str:
    """Put the values in, once: a value that itself looks like a placeholder stays as it is."""

    def value(found: re.Match[str]) -> str:
        neutral = NEUTRAL.get(found[1], {})
        return _clean(values.get(found[1], "")) or neutral.get(language, neutral.get("nb", ""))

    return _PLACEHOLDER.sub(value, template)


def _argument(name: str, values: Mapping[str, str]) -> str:
    """Write one PowerShell argument, so that no address can smuggle in a command of its own.

    PowerShell ends a single-quoted string at any of its five quotation marks, hence all doubled.
    """
    value = _clean(values.get(name, ""))
    if not value:
        return f"<{name}>"
    if _BARE_ARGUMENT.fullmatch(value):
        return value
    return "'" + _POWERSHELL_QUOTES.sub(lambda found: found[0] * 2, value) + "'"


def _clean(value: object) -> str:
    """Keep one line of printable text of reasonable length."""
    text = str(value)[:_LONGEST]
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
