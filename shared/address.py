"""Addresses: read from text, written for envelope (RFC 5321, 6531) and header (RFC 5322)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import idna

_LOCAL_LIMIT = 64
_ADDRESS_LIMIT = 254
_NAME_LIMIT = 256
_TEXT_LIMIT = 2 * (_NAME_LIMIT + _ADDRESS_LIMIT)

_TOKEN = re.compile(
    r"""(?P<space>[ \t]++)
      | (?P<quoted>"(?:[^"\\]++|\\.)*+")
      | (?P<special>[<>,:;@()])
      | (?P<atom>[^ \t()<>:;@\\,"]++)""",
    re.VERBOSE,
)
_DOT_ATOM = re.compile(r"[^\s()<>\[\]:;@\\,\".]+(?:\.[^\s()<>\[\]:;@\\,\".]+)*")
_PLAIN = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_PLAIN_WORDS = re.compile(f"{_PLAIN}(?: {_PLAIN})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class AddressError(ValueError):
    """A text is not one usable address; the message completes a sentence that begins with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: *name* as a person reads it, *local* and *domain* as SMTP writes them.

    *local* is a dot-atom or quoted string, non-ASCII where it must be (RFC 6531); *domain* is in
    A-labels (RFC 5890).
    """

    name: str
    local: str
    domain: str

    @property
    def addr_spec(self) -> str:
        """The address as the envelope has it."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the address cannot be written in ASCII."""
        return not self.local.isascii()

    @property
    def shown(self) -> str:
        """The mailbox as a person reads it: ``Ola Nordmann <ola@x.no>``."""
        return (
            f"{quoted_unless_plain(self.name)} <{self.addr_spec}>" if self.name else self.addr_spec
        )

    def is_same_mailbox(self, other: "Address") -> bool:
        """Tell whether *other* names the same mailbox, case aside as Exchange has it."""
        return self.addr_spec.casefold() == other.addr_spec.casefold()


def parse_address(text: str) -> Address:
    """Read one address: ``ola@x.no`` or ``Ola <ola@x.no>``.

    Raises AddressError for anything else: several addresses, groups, comments, control characters,
    domains that are not names, more than 64 octets before the ``@`` or 254 in all (RFC 5321
    section 4.5.3.1).
    """
    _check_characters(text)
    if len(text) > _TEXT_LIMIT:
        raise AddressError("is longer than an address can be")
    tokens = _tokens(text)
    if any(token == (";", "special") for token in tokens):
        raise AddressError("holds several addresses or a group; give each address its own place")
    if ("<", "special") not in tokens:
        return _from_addr_spec("", tokens)
    at = tokens.index(("<", "special"))
    if tokens[-1] != (">", "special"):
        raise AddressError("does not end with '>' after the address")
    return _from_addr_spec(_phrase(tokens[:at], parentheses=True), tokens[at + 1 : -1])


def address_of(name: str, addr_spec: str) -> Address:
    """Join a display name and a bare address; raises AddressError as ``parse_address`` does."""
    _check_characters(name)
    _check_characters(addr_spec)
    if len(addr_spec) > _ADDRESS_LIMIT:
        raise AddressError(f"is longer than {_ADDRESS_LIMIT} characters")
    return _from_addr_spec(name, _tokens(addr_spec))


def parse_address_list(text: str) -> list[Address]:
    """Read the value of a To, Cc, Bcc or From field (RFC 5322 section 3.4), unfolded.

    Groups give their members, comments are dropped. Names may still hold encoded-words. Raises
    AddressError.
    """
    _check_characters(text)
    return [_from_mailbox(tokens) for tokens in _mailboxes(_without_comments(_tokens(text)))]


def envelope_recipients(addresses: Iterable[Address]) -> tuple[str, ...]:
    """Return each address once, in order, as RCPT TO has it; domains are compared without case."""
    found: dict[tuple[str, str], str] = {}
    for address in addresses:
        found.setdefault((address.local, address.domain.lower()), address.addr_spec)
    return tuple(found.values())


def quoted_unless_plain(name: str) -> str:
    """Write *name* as a phrase: as it is where that is safe, else as a quoted string."""
    return name if _PLAIN_WORDS.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


type _Token = tuple[str, str]


def _check_characters(text: str) -> None:
    """Refuse what no header or command may hold: controls, line breaks, lone surrogates."""
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if character != "\t" and unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            raise AddressError("holds a control character or line break")


def _tokens(text: str) -> list[_Token]:
    """Cut *text* into (text, kind) pairs without the space around it."""
    found: list[_Token] = []
    position = 0
    text = text.strip(" \t")
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise AddressError("holds an unfinished quoted string or a stray backslash")
        found.append((match[0], match.lastgroup or ""))
        position = match.end()
    if not found:
        raise AddressError("is empty")
    return found


def _phrase(tokens: Sequence[_Token], *, parentheses: bool) -> str:
    """Return the display name before ``<``; *parentheses* may stand in it as they are."""
    words = []
    for text, kind in tokens:
        if kind == "special" and not (parentheses and text in "()"):
            raise AddressError(
                f"has '{text}' in the name; a name with it must be in double quotes"
            )
        words.append(_unquoted(text) if kind == "quoted" else text)
    return "".join(words).strip(" \t")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _from_addr_spec(name: str, tokens: Sequence[_Token]) -> Address:
    """Build the address from the tokens of ``local@domain``."""
    texts = [text for text, _ in tokens]
    kinds = [kind for _, kind in tokens]
    if texts.count("@") > 1 or "," in texts:
        raise AddressError("holds several addresses; give each address its own place")
    if not texts or "@" not in texts:
        raise AddressError("is not an address; it lacks '@'")
    if len(texts) != 3 or kinds[0] not in {"atom", "quoted"} or kinds[2] != "atom":
        raise AddressError("is not an address of the form local@domain")
    if len(name) > _NAME_LIMIT:
        raise AddressError(f"has a name of more than {_NAME_LIMIT} characters")
    address = Address(name, _local(*tokens[0]), _domain(texts[2]))
    if len(address.addr_spec.encode()) > _ADDRESS_LIMIT:
        raise AddressError(f"is longer than {_ADDRESS_LIMIT} octets")
    return address


def _local(text: str, kind: str) -> str:
    """Check the part before ``@`` and write it in its shortest form."""
    if kind == "quoted":
        content = _unquoted(text)
        text = content if _DOT_ATOM.fullmatch(content) else _quoted(content)
        if not content or (not content.isascii() and not _DOT_ATOM.fullmatch(content)):
            raise AddressError("has nothing usable between the quotes before '@'")
    elif not _DOT_ATOM.fullmatch(text):
        raise AddressError("has a misplaced '.' or a character that needs quotes before '@'")
    if not text.isascii() and any(unicodedata.category(one)[0] in "CZ" for one in text):
        raise AddressError("has an invisible character before '@'")
    if len(text.encode()) > _LOCAL_LIMIT:
        raise AddressError(f"has more than {_LOCAL_LIMIT} octets before '@'")
    return text


def _domain(text: str) -> str:
    """Check a domain name and write it in A-labels."""
    if text.startswith("["):
        raise AddressError("has an address literal where a domain name is needed")
    if len(text) > _ADDRESS_LIMIT:
        raise AddressError("has a domain that is too long")
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError:
        raise AddressError("has a domain that no domain name can be") from None
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise AddressError("has a domain that no domain name can be")
    return name


def _without_comments(tokens: Sequence[_Token]) -> list[_Token]:
    """Drop comments, which may nest; a lone parenthesis is an error."""
    kept: list[_Token] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token[0], 0) if token[1] == "special" else 0
        if depth < 0:
            break
        if depth == 0 and token != (")", "special"):
            kept.append(token)
    if depth:
        raise AddressError("has a parenthesis without its twin")
    return kept


def _mailboxes(tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Cut a list into its mailboxes, those inside groups included; empty places are allowed."""
    current: list[_Token] = []
    in_group = in_angle = False
    for token in tokens:
        text = token[0] if token[1] == "special" else ""
        in_angle = text == "<" or (in_angle and text != ">")
        if text == ":" and not in_group and not in_angle:
            in_group, current = True, []
        elif text == "," or (text == ";" and in_group):
            in_group = in_group and text == ","
            yield from _unless_blank(current)
            current = []
        else:
            current.append(token)
    if in_group:
        raise AddressError("has a group without its ';'")
    yield from _unless_blank(current)


def _unless_blank(tokens: list[_Token]) -> Iterator[list[_Token]]:
    if any(kind != "space" for _, kind in tokens):
        yield tokens


def _from_mailbox(tokens: list[_Token]) -> Address:
    """Build the address from one mailbox of a list, space around its parts allowed."""
    solid = [token for token in tokens if token[1] != "space"]
    if ("<", "special") not in solid:
        return _from_addr_spec("", solid)
    if solid[-1] != (">", "special"):
        raise AddressError("does not end with '>' after the address")
    inner = solid[solid.index(("<", "special")) + 1 : -1]
    name = _phrase(tokens[: tokens.index(("<", "special"))], parentheses=False)
    return replace(_from_addr_spec("", inner), name=" ".join(name.split()))
