"""The product's submission module on one mailbox; `single`, `burst`, or `cold`."""

import ssl
import sys

from bench.clients.job import TO, TOKEN, USER, Clock, measure, read_job
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Server, Session
from shared.secrecy import Secret


def submit(session: Session, content: bytes, count: int, *, chained: bool) -> None:
    envelope = Envelope(USER, (TO,), len(content))
    for number in range(count):
        then = envelope if chained and number < count - 1 else None
        session.submit(envelope, content, then=then)


def main() -> None:
    job, kind = read_job(), sys.argv[2]
    content = job.content
    clock = Clock()
    server = Server("localhost", job.port, ssl.create_default_context(cafile=job.ca))
    session = server.open(USER, Secret(TOKEN))
    if kind == "cold":
        submit(session, content, job.messages, chained=False)
        clock.report(job.messages)
    else:
        chained = kind == "burst"
        measure(
            lambda: submit(session, content, job.warm_up, chained=chained),
            lambda: submit(session, content, job.messages, chained=chained),
            job.messages,
        )
    session.close()


if __name__ == "__main__":
    main()
