"""A PDF of any size that a reader opens: one page with a line of text, and bytes nobody draws."""

import random


def pdf(size: int, text: str) -> bytes:
    """A PDF 1.4 document of exactly *size* bytes (at least 2,000) that shows *text* (Latin-1)."""
    draft = _document(text, 0)
    # The length of the padding is written out three times over; approach it from below.
    padding = size - len(draft)
    for _ in range(4):
        document = _document(text, padding)
        padding += size - len(document)
        if len(document) == size:
            return document
    return document + b"\n" * (size - len(document))


def _document(text: str, padding: int) -> bytes:
    shown = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("latin-1")
    drawing = b"BT /F1 20 Tf 72 760 Td (" + shown + b") Tj ET"
    # Like a scanned page: nothing a compressor could shrink, and the same on every run.
    ballast = random.Random(10042).randbytes(padding)
    return _assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources 7 0 R >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            _stream(drawing),
            _stream(ballast),
            b"<< /Font << /F1 4 0 R >> >>",
        ]
    )


def _stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream"


def _assemble(objects: list[bytes]) -> bytes:
    document = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    table = len(document)
    document += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    document += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(document + trailer % (len(objects) + 1, table))
