"""A token endpoint that grants everything, as Entra words it: `python -m bench.token_endpoint`.

HTTPS with kept connections; every token request is answered *delay* after it came in.
"""

import argparse
import asyncio
import contextlib
import json
import ssl
import sys

from bench.clients.job import TOKEN

type Answer = tuple[bytes, bool]


class TokenEndpoint:
    """Counts the tokens it gives."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.url = ""
        self.tokens = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                if head.startswith(b"POST"):
                    self.tokens += 1
                    await asyncio.sleep(self.delay)
                body = json.dumps(self.answer(head)).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                    b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
                )
                await writer.drain()
        writer.close()

    def answer(self, head: bytes) -> dict[str, object]:
        """Return the metadata to a GET, else a token response."""
        if head.startswith(b"GET"):
            return {
                "issuer": f"{self.url}/{{tenantid}}/v2.0",
                "authorization_endpoint": f"{self.url}/organizations/oauth2/v2.0/authorize",
                "token_endpoint": f"{self.url}/organizations/oauth2/v2.0/token",
            }
        return {
            "token_type": "Bearer",
            "scope": "https://outlook.office.com/SMTP.Send",
            "expires_in": 3599,
            "ext_expires_in": 3599,
            "access_token": TOKEN,
            "refresh_token": f"refresh-{self.tokens}",
        }


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(delay: float, certificate: str) -> None:
    """Serve until standard input ends."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    endpoint = TokenEndpoint(delay)
    server = await asyncio.start_server(endpoint.converse, "127.0.0.1", 0, ssl=tls, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    endpoint.url = f"https://127.0.0.1:{port}"
    print(json.dumps({"port": port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"tokens": endpoint.tokens}), flush=True)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.token_endpoint", description=__doc__)
    parser.add_argument("--delay", type=float, default=0, help="what a token takes, in ms")
    parser.add_argument("--certificate", required=True, help="PEM with chain and key")
    options = parser.parse_args()
    asyncio.run(serve(options.delay / 1000, options.certificate))


if __name__ == "__main__":
    main()
