"""The benchmark's own programs: they send what they are told, and the sink watches them."""

import ssl
from collections.abc import Iterator

import pytest

from bench.clients import bare
from bench.clients.job import Job
from bench.contenders import Contender, run
from bench.servers import Server, Trust, sink, token_endpoint, trust

SIZE = 10_000


@pytest.fixture(scope="module")
def trusted() -> Iterator[Trust]:
    with trust() as made:
        yield made


@pytest.mark.parametrize(
    ("program", "kind"),
    [("ours", "single"), ("ours", "burst"), ("bare", "burst"), ("stdlib", "single")],
)
def test_a_client_sends_every_message_whole(trusted: Trust, program: str, kind: str) -> None:
    with sink(trusted) as server:
        done = run(Contender(program, program, kind), Job(server.port, trusted.ca, 20, SIZE, 5))

    assert done.messages == 20
    assert server.counted["messages"] == 25
    content = Job(0, "", 0, SIZE).content
    assert server.counted["octets"] == 25 * (len(content) - 2)  # the last CRLF is part of the end


def test_many_mailboxes_each_with_a_token_of_their_own(trusted: Trust) -> None:
    with sink(trusted) as server, token_endpoint(trusted, 1) as tokens:
        job = Job(server.port, trusted.ca, 2, SIZE, mailboxes=6, at_once=3, tokens=tokens.port)
        run(Contender("ours", "ours", "mailboxes"), job)

    assert server.counted["messages"] == 12
    assert server.counted["connections"] == 6
    assert tokens.counted["tokens"] == 6


def test_a_first_message_waits_for_nine_replies(trusted: Trust) -> None:
    with sink(trusted) as server:
        run(Contender("ours", "ours", "cold"), Job(server.port, trusted.ca, 1, SIZE))

    assert server.counted["moments"][0]["round_trips"] == 9


def test_content_that_comes_before_it_was_asked_for_fails_the_run(trusted: Trust) -> None:
    with pytest.raises(RuntimeError, match="before the sink had asked"), sink(trusted) as server:
        send_at_once(server, ssl.create_default_context(cafile=trusted.ca))


def send_at_once(server: Server, tls: ssl.SSLContext) -> None:
    with bare.connect(server.port, tls) as sock:
        sock.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nSubject: x\r\n")
        while sock.recv(4096):
            pass
