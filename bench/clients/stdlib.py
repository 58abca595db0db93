"""smtplib on one reused connection; `relay` speaks to emailproxy in the clear instead.

`mailboxes` runs many accounts that fetch their own tokens, with one TLS context for all.
"""

import smtplib
import ssl
import sys

from bench.clients.job import (
    HOST,
    TO,
    TOKEN,
    USER,
    Clock,
    Job,
    measure,
    read_job,
    serve_mailboxes,
)
from bench.clients.tokens import TokenClient


def connect(job: Job, tls: ssl.SSLContext, token: str = TOKEN) -> smtplib.SMTP:
    client = smtplib.SMTP(HOST, job.port)
    client.starttls(context=tls)
    client.ehlo()
    client.auth(
        "XOAUTH2",
        lambda challenge=None: f"user={USER}\1auth=Bearer {token}\1\1",  # noqa: ARG005
        initial_response_ok=False,
    )
    return client


def connect_relay(job: Job) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", job.port)
    client.login(USER, "password-of-the-proxy")
    return client


def submit(client: smtplib.SMTP, content: bytes, count: int) -> None:
    for _ in range(count):
        client.sendmail(USER, [TO], content)


def mailboxes(job: Job) -> None:
    content, tls = job.content, ssl.create_default_context(cafile=job.ca)
    tokens = TokenClient(job, tls)

    def serve(number: int) -> None:
        client = connect(job, tls, tokens.refresh(number))
        submit(client, content, job.messages)
        client.close()

    serve_mailboxes(job, serve)


def main() -> None:
    job, kind = read_job(), sys.argv[2]
    if kind == "mailboxes":
        mailboxes(job)
        return
    content = job.content
    clock = Clock(job)
    if kind == "relay":
        client = connect_relay(job)
    else:
        client = connect(job, ssl.create_default_context(cafile=job.ca))
    if kind == "cold":
        submit(client, content, job.messages)
        clock.report(job.messages)
    else:
        measure(
            lambda: submit(client, content, job.warm_up),
            lambda: submit(client, content, job.messages),
            job,
        )
    client.close()


if __name__ == "__main__":
    main()
