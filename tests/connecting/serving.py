"""The pages over HTTP, for a real browser, and a page of the product that opens them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from shared.connecting.browser import Browser
from shared.pages.visit import Answer, Visit


class Serving:
    """What is served: the browser's pages, once there are any."""

    browser: Browser | None = None


def _answer(browser: Browser, method: str, path: str, visit: Visit) -> Answer:
    now = datetime.now(UTC)
    match path.removeprefix("/api/oauth/"):
        case "start":
            return browser.start(visit, now)
        case "callback":
            return browser.callback(visit, now)
        case "admin":
            return browser.admin(visit, now, check=method == "POST")
        case other:
            return browser.asset(other.removeprefix("assets/"), visit)


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    serving: Serving

    def do_GET(self) -> None:
        assert self.serving.browser
        parts = urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        visit = Visit(
            query=parts.query,
            cookie=self.headers.get("Cookie", ""),
            referer=self.headers.get("Referer", ""),
            accept_language=self.headers.get("Accept-Language"),
        )
        answer = _answer(self.serving.browser, self.command, parts.path, visit)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET  # noqa: N815 - the name http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Product(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = (
            b"<!doctype html><meta charset=utf-8><title>Product</title><button>Koble til</button>"
            b"<script>window.told=[];addEventListener('message',e=>told.push([e.origin,e.data]));"
            b"document.querySelector('button').onclick=()=>window.open(location.hash.slice(1))"
            b"</script>"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def serving_pages() -> Iterator[tuple[str, Serving]]:
    """Serve whatever ``Serving.browser`` answers; the address has no path."""
    serving = Serving()
    with _running(type("Pages", (_Pages,), {"serving": serving})) as url:
        yield url, serving


@contextmanager
def serving_product() -> Iterator[str]:
    """Serve a page that opens the link in its fragment and remembers what it is told."""
    with _running(_Product) as url:
        yield url
