"""A throw-away certificate authority: trust that ends with the process that made it."""

import os
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import trustme

NAMES = ("127.0.0.1", "localhost")


class Trust:
    """Issues one certificate for the loopback names and writes the files other programs need."""

    def __init__(self, folder: Path | None = None, names: tuple[str, ...] = NAMES) -> None:
        self._temporary = TemporaryDirectory(prefix="trust-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary else Path(folder or ".")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.pem"
        self.certificate = self.folder / "certificate.pem"
        self.key = self.folder / "key.pem"
        self._authority = trustme.CA()
        issued = self._authority.issue_cert(*names)
        self._authority.cert_pem.write_to_path(str(self.ca))
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.touch(mode=0o600)
        os.chmod(self.key, 0o600)  # noqa: PTH101 - an older file may have been wider
        issued.private_key_pem.write_to_path(str(self.key))

    def server_context(self) -> ssl.SSLContext:
        """TLS as a server, 1.2 or above, as Microsoft's front doors demand."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context

    def wrong_context(self, kind: str) -> ssl.SSLContext:
        """TLS with what no client should accept: ``stranger`` (another CA) or ``other-name``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if kind == "stranger":
            trustme.CA().issue_cert(*NAMES).configure_cert(context)
        else:
            self._authority.issue_cert("wrong.example").configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """TLS as a client that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.ca))

    def settings(self) -> dict[str, str]:
        """The platform's own names for trust: OpenSSL's and requests'."""
        return {"SSL_CERT_FILE": str(self.ca), "REQUESTS_CA_BUNDLE": str(self.ca)}

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
