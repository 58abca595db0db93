"""The worst that a stranger can send to a parser costs little time, and bounded memory."""

import contextlib
import time
import tracemalloc
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.address import AddressError, parse_address
from shared.callers import CallerVerifier
from shared.errors import ServiceError
from shared.issuer import IssuerError
from shared.language import preferred_language
from shared.messages.draft import Sender
from shared.messages.rfc822 import draft_from_rfc822
from shared.microsoft.smtp import ReplyBuffer, ReplyError
from shared.pages.visit import Visit
from shared.sealing import Seal, SealBrokenError, SealingKey
from shared.secrecy import Secret

MEGABYTE = 1024 * 1024
SMALL = MEGABYTE // 2
"""What reading a thing may cost, beside the thing itself, that is not a message."""

SECONDS = 5
REFUSALS = (ServiceError, AddressError, SealBrokenError, ReplyError)


class Keys:
    """A vault without keys."""

    def live_sealing_keys(self) -> list[SealingKey]:
        return []

    def add_sealing_key(self, key: Secret) -> None:
        raise AssertionError(f"nothing is sealed here with {key}")

    def retire_sealing_key(self, version: str) -> None:
        raise AssertionError(f"nothing is retired here, {version}")


def no_document(url: str) -> bytes:
    raise IssuerError(url)


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


VERIFIER = CallerVerifier(
    issuer="https://issuer.example", audience="a", customer_claim="c", fetch=no_document
)
NESTED = b"[" * 5000 + b"]" * 5000
DEEP_HEADER = encoded(b'{"alg": "RS256", "x": ' + NESTED + b"}")
SEAL = Seal(Keys())
NOW = datetime(2026, 11, 24, tzinfo=UTC)
LARGE = 8 * MEGABYTE


def query(text: str) -> object:
    return Visit(query=text).parameters()


def cookies(text: str) -> object:
    return Visit(cookie=text).cookies()


def ticket(text: str) -> object:
    return SEAL.open("ticket", text, now=NOW)


def reply(piece: str) -> None:
    """Feed a reply that never ends, piece by piece."""
    buffer = ReplyBuffer()
    while buffer.take() is None:
        buffer.feed(piece.encode())


def message(header: str) -> None:
    draft_from_rfc822(
        f"To: ola@x.no\r\n{header}\r\n\r\nHei\r\n".encode(),
        sender=Sender("kari@x.no", None),
        message_id="m@x.no",
        now=NOW,
    )


HOSTILE: tuple[tuple[Callable[[str], object], str], ...] = (
    (query, "&".join(["a=b"] * MEGABYTE)),
    (query, "&" * 16_000),
    (query, "%" * 16_000),
    (query, "a=%C3%A6&" * 1_700),
    (cookies, "a=b;" * 2_000),
    (cookies, ";" * 8_000),
    (preferred_language, "nb;q=0.5," * MEGABYTE),
    (preferred_language, "," * LARGE),
    (ticket, "a." + "A" * LARGE),
    (ticket, "." * 16_000),
    (ticket, "a" * 64 + "." + "A" * 16_000),
    (VERIFIER.verify, "Bearer " + "a" * LARGE),
    (VERIFIER.verify, "Bearer" + " " * 16_000),
    (VERIFIER.verify, "Bearer " + "a." * 8_000),
    (VERIFIER.verify, f"Bearer {DEEP_HEADER}.e30.AA"),
    (parse_address, "a" * LARGE + "@x.no"),
    (parse_address, "(" * MEGABYTE + "a@x.no"),
    (parse_address, '"' + '\\"' * MEGABYTE + "@x.no"),
    (parse_address, "a@" + "b." * MEGABYTE + "no"),
    (reply, "x" * 4096),
    (reply, "250-x\r\n"),
    (reply, "250-x\r\n" * 500),
    (reply, "\r\n"),
)
"""Parsers of what is no message, each with the worst for it; all of it is to be given up early."""

MESSAGES = (
    "X: " + "a" * 990,
    "\r\n".join(f"X-{number}: a" for number in range(900)),
    "\r\n".join(["X: a", *(" b" for _ in range(900))]),
    "Cc: " + ",\r\n ".join(["a@x.no"] * 400),
    "Cc: " + ",\r\n ".join(["a@x.no,b@x.no," * 60] * 250) + "a@x.no",
    "Cc: " + "\r\n ".join(["(" * 900] * 200),
    "Cc: " + '"' + "\r\n ".join(['\\"' * 400] * 200),
    "Subject: " + "\r\n ".join(["=?utf-8?q?=C3?=" * 60] * 200),
    "Subject: " + "\r\n ".join(["=?utf-8?b?" + "A" * 900 + "?="] * 200),
    "Subject: " + "\r\n ".join(["=?" * 450] * 200),
)


def seconds(parser: Callable[[str], object], text: str) -> float:
    before = time.monotonic()
    with contextlib.suppress(*REFUSALS):
        parser(text)
    return time.monotonic() - before


def peak(parser: Callable[[str], object], text: str) -> int:
    """The most memory held at once beside *text*, in bytes."""
    tracemalloc.start()
    try:
        seconds(parser, text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def named(value: object) -> str | None:
    if isinstance(value, str):
        return f"{value[:16]!r}x{len(value)}"
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("parser", "text"), HOSTILE, ids=named)
def test_what_is_no_message_is_given_up_early(parser: Callable[[str], object], text: str) -> None:
    assert seconds(parser, text) < SECONDS
    assert peak(parser, text) < SMALL + len(text)


@pytest.mark.parametrize("header", MESSAGES, ids=named)
def test_a_hostile_header_costs_in_proportion_to_its_size(header: str) -> None:
    """A header has 256 KiB at most, so that this is the most that any of them costs."""
    assert seconds(message, header) < SECONDS
    assert peak(message, header) < SMALL + 80 * len(header)
