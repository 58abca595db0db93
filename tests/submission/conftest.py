"""A certification authority of the tests' own, and connections to scripted servers."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme

from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Server, Session, Timeouts
from shared.secrecy import Secret
from tests.submission.scripted_server import SILENCE, Script, ScriptedServer

TOKEN = Secret("a-token." * 200)
IMPATIENT = Timeouts(connect=5, handshake=5, command=0.3, write=5, content=0.3)


def token() -> Secret:
    """The token, for who asks when it is its turn."""
    return TOKEN


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The authority that the tests trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a server with a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a client that verifies."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def listen(server_tls: ssl.SSLContext) -> Iterator[Callable[..., ScriptedServer]]:
    """Start a scripted server; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **script: stack.enter_context(ScriptedServer(server_tls, Script(**script)))


@pytest.fixture
def connect(client_tls: ssl.SSLContext) -> Iterator[Callable[[ScriptedServer], Session]]:
    """Open a session with a scripted server; it is closed with the test."""
    with ExitStack() as stack:

        def open_session(scripted: ScriptedServer) -> Session:
            silent = any(SILENCE in given for given in scripted.script.answers.values())
            timeouts = IMPATIENT if silent else Timeouts()
            server = Server("localhost", scripted.port, client_tls, timeouts=timeouts)
            session = server.open("kari@firma.test", token)
            stack.callback(session.close)
            return session

        yield open_session


def envelope(*rcpt_to: str, size: int = 30) -> Envelope:
    """Return an envelope from Kari, by default to Ola."""
    return Envelope("kari@firma.test", rcpt_to or ("ola@kunde.test",), size)
