"""Header text: words beyond ASCII as encoded-words (RFC 2047), long lines folded (RFC 5322)."""

import binascii
import email.errors
import email.header
import re

_LINE = 76
_WORD = 66  # RFC 2047 allows 75, but some readers mind a break between "Subject:" and the first
_LONGEST = 900
_PREFIX_B = "=?utf-8?B?"
_PREFIX_Q = "=?utf-8?Q?"

# RFC 2047 section 5 (3): what an encoded-word may hold as it is everywhere, even in a phrase.
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256)]
_Q[0x20] = "_"

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTABLE = re.compile(r"[ -~]+")


def unstructured_field(name: str, text: str) -> bytes:
    """Write a field whose value is free text (RFC 5322 section 3.2.5), such as Subject."""
    words = text.split(" ")
    is_plain = _PLAIN.fullmatch(text) is not None and "=?" not in text
    if text and not (is_plain and max(map(len, words)) <= _LONGEST):
        words = encoded_words(text)
    return folded(name, words)


def phrase(text: str) -> list[str]:
    """Write a display name as words that may be folded apart (RFC 5322 section 3.2.5)."""
    if _ATOMS.fullmatch(text) and "=?" not in text:
        return text.split(" ")
    if _QUOTABLE.fullmatch(text) and "=?" not in text:
        return ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"']
    return encoded_words(text)


def encoded_words(text: str) -> list[str]:
    """Write *text* as encoded-words in UTF-8, each of whole characters, in the shorter form."""
    octets = text.encode("utf-8")
    quoted = sum(len(_Q[octet]) for octet in octets)
    if quoted <= len(octets) * 4 // 3 + 4:
        return [_PREFIX_Q + word + "?=" for word in _pieces_q(text)]
    return [_PREFIX_B + word + "?=" for word in _pieces_b(text)]


def _pieces_q(text: str) -> list[str]:
    room = _WORD - len(_PREFIX_Q) - 2
    pieces = [""]
    for character in text:
        encoded = "".join(_Q[octet] for octet in character.encode("utf-8"))
        if len(pieces[-1]) + len(encoded) > room:
            pieces.append("")
        pieces[-1] += encoded
    return pieces


def _pieces_b(text: str) -> list[str]:
    room = (_WORD - len(_PREFIX_B) - 2) // 4 * 3
    pieces = [b""]
    for character in text:
        octets = character.encode("utf-8")
        if len(pieces[-1]) + len(octets) > room:
            pieces.append(b"")
        pieces[-1] += octets
    return [binascii.b2a_base64(piece, newline=False).decode("ascii") for piece in pieces]


def folded(name: str, words: list[str]) -> bytes:
    """Write ``name: words``, broken before a word that would pass column 76 (RFC 5322, 2.2.3)."""
    lines = [f"{name}:"]
    for position, word in enumerate(words):
        is_breakable = position > 0 or word.startswith("=?")
        if is_breakable and len(lines[-1]) + 1 + len(word) > _LINE:
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines).encode("utf-8") + b"\r\n"


def decoded(text: str) -> str:
    """Read encoded-words for a person's eyes; what cannot be read stays as it is."""
    if "=?" not in text:
        return text
    try:
        shown = str(email.header.make_header(email.header.decode_header(text)))
    except (email.errors.MessageError, LookupError, ValueError):
        shown = text
    return "".join(one if one.isprintable() else " " for one in shown)
