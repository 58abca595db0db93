"""Addresses: what is taken, what is refused, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.address import (
    AddressError,
    address_of,
    envelope_recipients,
    parse_address,
    parse_address_list,
)


@pytest.mark.parametrize(
    ("text", "name", "addr_spec"),
    [
        ("ola@x.no", "", "ola@x.no"),
        ("  ola@x.no ", "", "ola@x.no"),
        ("<ola@x.no>", "", "ola@x.no"),
        ("Ola <ola@x.no>", "Ola", "ola@x.no"),
        ("Ola<ola@x.no>", "Ola", "ola@x.no"),
        ("Åse Ærlig <ase@x.no>", "Åse Ærlig", "ase@x.no"),
        ('"Nordmann, Ola" <ola@x.no>', "Nordmann, Ola", "ola@x.no"),
        (r'"Ola \"O\" N" <ola@x.no>', 'Ola "O" N', "ola@x.no"),
        ("Ola N. (Oslo) <ola@x.no>", "Ola N. (Oslo)", "ola@x.no"),
        ("o'hara+tag@sub.x.no", "", "o'hara+tag@sub.x.no"),
        ("ola@blåbær.no", "", "ola@xn--blbr-roah.no"),
        ("ola@BLÅBÆR.no", "", "ola@xn--blbr-roah.no"),
        ("kåre@x.no", "", "kåre@x.no"),
        ('"ola nordmann"@x.no', "", '"ola nordmann"@x.no'),
        ('"ola"@x.no', "", "ola@x.no"),
        ("a" * 64 + "@x.no", "", "a" * 64 + "@x.no"),
    ],
)
def test_an_address_is_read(text: str, name: str, addr_spec: str) -> None:
    address = parse_address(text)

    assert (address.name, address.addr_spec) == (name, addr_spec)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("ola", "lacks '@'"),
        ("@x.no", "form"),
        ("ola@", "form"),
        ("ola@x", "domain"),
        ("ola@x..no", "domain"),
        ("ola@-x.no", "domain"),
        ("ola@x_y.no", "domain"),
        ("ola@1.2.3.4", "domain"),
        ("ola@[1.2.3.4]", "literal"),
        ("ola@" + "b" * 64 + ".no", "domain"),
        ("ola@" + "å" * 64 + ".no", "domain"),
        ("o..la@x.no", "misplaced"),
        (".ola@x.no", "misplaced"),
        ("ola.@x.no", "misplaced"),
        ("ola nordmann@x.no", "form"),
        ("ola@x.no, kari@x.no", "several"),
        ("ola@x.no; kari@x.no", "several"),
        ("ola@x.no kari@x.no", "several"),
        ("<ola@x.no> <kari@x.no>", "several"),
        ("kunder: ola@x.no;", "group"),
        ("ola@x.no <kari@x.no>", "double quotes"),
        ("Nordmann, Ola <ola@x.no>", "double quotes"),
        ("Ola <ola@x.no", "does not end"),
        ("Ola <ola@x.no> x", "does not end"),
        ("ola@x.no (Ola)", "form"),
        ("<>", "lacks '@'"),
        ("<@a.no,@b.no:ola@x.no>", "several"),
        ('"ola@x.no', "unfinished"),
        ('""@x.no', "nothing usable"),
        ("ola\r\nBcc: kari@x.no", "line break"),
        ("ola@x.no\n", "line break"),
        ("ola@x.no\0", "control"),
        ("o\u2028la@x.no", "line break"),
        ("o\u200bla@x.no", "invisible"),
        ("a" * 65 + "@x.no", "64 octets"),
        ("å" * 33 + "@x.no", "64 octets"),
        ("a" * 60 + "@" + ".".join(["b" * 63] * 3) + ".no", "254 octets"),
        ("x" * 3000 + " <ola@x.no>", "longer"),
        ("x" * 300 + " <ola@x.no>", "256 characters"),
    ],
)
def test_what_is_not_one_address_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        parse_address(text)


def test_only_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert parse_address("kåre@x.no").needs_smtputf8
    assert not parse_address("Kåre <kare@blåbær.no>").needs_smtputf8


def test_an_address_is_shown_so_that_it_can_be_read_again() -> None:
    address = address_of('Nordmann, "Ola" \\', "ola@x.no")

    assert parse_address(address.shown) == address


def test_each_recipient_is_in_the_envelope_once_and_in_order() -> None:
    addresses = map(parse_address, ["b@x.no", "A <a@x.no>", "b@X.NO", "a@x.no", "B@x.no"])

    assert envelope_recipients(addresses) == ("b@x.no", "a@x.no", "B@x.no")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("ola@x.no", ["ola@x.no"]),
        (", ola@x.no,,", ["ola@x.no"]),
        ("undisclosed-recipients:;", []),
        ("A: a@x.no, B <b@x.no>;, c@x.no", ["a@x.no", "b@x.no", "c@x.no"]),
        ('a@x.no (one (and) only), "B, b" < b@x.no >', ["a@x.no", "b@x.no"]),
        ("A: a@x.no", None),
        ("a@x.no b@x.no", None),
        ("a@x.no (open", None),
        ("a@x.no )", None),
        ("A: B: a@x.no;;", None),
        ("<@r.no:a@x.no>", None),
    ],
)
def test_a_header_field_of_addresses_is_read(text: str, expected: list[str] | None) -> None:
    try:
        found = [address.addr_spec for address in parse_address_list(text)]
    except AddressError:
        found = None

    assert found == expected


_PIECES = st.sampled_from(
    [
        *'<>()[]@,;:\\". \t\r\n',
        "a",
        "ø",
        "x.no",
        "=?utf-8?q?=0D=0A?=",
        "\0",
        "\u2028",
        "xn--",
        "。",
    ]
)
_TEXTS = st.text() | st.lists(_PIECES, max_size=40).map("".join)


@given(_TEXTS)
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return

    assert parse_address(address.shown) == address
    assert not set("\r\n\0") & set(address.shown)
    assert len(address.addr_spec.encode()) <= 254


@given(_TEXTS)
def test_any_text_is_a_list_of_addresses_or_is_refused(text: str) -> None:
    try:
        found = parse_address_list(text)
    except AddressError:
        return

    assert all(parse_address(address.addr_spec) for address in found)


def test_a_hostile_text_takes_no_time() -> None:
    for hostile in ("(" * 200_000, '"\\' * 100_000, "a," * 100_000, ":" * 200_000, "<" * 200_000):
        with pytest.raises(AddressError):
            parse_address_list(hostile)
