"""HTTP/1.1 messages read whole, with the bytes they came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO


class BrokenError(Exception):
    """The other end left in the middle of a message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: its first line, headers (names in lower case), body, and bytes."""

    first: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes


def read_request(reader: BinaryIO) -> Message | None:
    """Read a request; None when the client left between two."""
    return _read(reader, bodiless=False, to_the_end=False)


def read_response(reader: BinaryIO, method: str) -> Message | None:
    """Read the response to a request of *method*; None when there is none."""
    return _read(reader, bodiless=method == "HEAD", to_the_end=True)


def _read(reader: BinaryIO, *, bodiless: bool, to_the_end: bool) -> Message | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(65_536)
        if not line:
            if head:
                raise BrokenError("the head ends early")
            return None
        head += line
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    named = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    status = first.split(" ")[1] if to_the_end else ""
    if bodiless or status in ("204", "304") or status.startswith("1"):
        return Message(first, headers, b"", head)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body, raw = _chunks(reader)
        return Message(first, headers, body, head + raw)
    if (length := headers.get("content-length")) is not None:
        body = _exactly(reader, int(length))
    else:
        body = reader.read() if to_the_end else b""
    return Message(first, headers, body, head + body)


def _chunks(reader: BinaryIO) -> tuple[bytes, bytes]:
    """Return the body, and the bytes in which its chunks came."""
    body, raw = bytearray(), bytearray()
    while True:
        line = reader.readline(1024)
        if not line.endswith(b"\r\n"):
            raise BrokenError("a chunk ends early")
        size = int(line.partition(b";")[0], 16)
        chunk = _exactly(reader, size + 2)
        raw += line + chunk
        body += chunk[:-2]
        if not size:
            return bytes(body), bytes(raw)


def _exactly(reader: BinaryIO, size: int) -> bytes:
    found = reader.read(size)
    if len(found) < size:
        raise BrokenError("the body ends early")
    return found
