"""The least a blocking Python client can do: no codec, no checks, replies only counted.

`single` waits for 354 before each content, `burst` chains the next envelope behind it, `mailboxes`
does so for many accounts that fetch their own tokens.
"""

import socket
import ssl
import sys
from base64 import b64encode

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


def read_lines(sock: socket.socket, count: int) -> None:
    octets = sock.recv(4096)
    while octets.count(b"\n") < count:
        octets += sock.recv(4096)


def connect(port: int, tls: ssl.SSLContext, token: str = TOKEN) -> ssl.SSLSocket:
    sock = socket.create_connection((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    read_lines(sock, 1)
    sock.sendall(b"EHLO [127.0.0.1]\r\n")
    read_lines(sock, 10)
    sock.sendall(b"STARTTLS\r\n")
    read_lines(sock, 1)
    secure = tls.wrap_socket(sock, server_hostname=HOST)
    secure.sendall(b"EHLO [127.0.0.1]\r\n")
    read_lines(secure, 10)
    secure.sendall(b"AUTH XOAUTH2\r\n")
    read_lines(secure, 1)
    secure.sendall(b64encode(f"user={USER}\1auth=Bearer {token}\1\1".encode()) + b"\r\n")
    read_lines(secure, 1)
    return secure


def submit(sock: ssl.SSLSocket, content: bytes, count: int, *, chained: bool) -> None:
    opening = f"MAIL FROM:<{USER}> SIZE={len(content)}\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()
    whole = content + b".\r\n"
    both = whole + opening
    sock.sendall(opening)
    read_lines(sock, 3)
    for number in range(count):
        if number == count - 1:
            sock.sendall(whole)
            read_lines(sock, 1)
        elif chained:
            sock.sendall(both)
            read_lines(sock, 4)
        else:
            sock.sendall(whole)
            read_lines(sock, 1)
            sock.sendall(opening)
            read_lines(sock, 3)


def mailboxes(job: Job) -> None:
    content, tls = job.content, ssl.create_default_context(cafile=job.ca)
    tokens = TokenClient(job, tls)

    def serve(number: int) -> None:
        with connect(job.port, tls, tokens.refresh(number)) as sock:
            submit(sock, content, job.messages, chained=True)

    serve_mailboxes(job, serve)


def main() -> None:
    job, kind = read_job(), sys.argv[2]
    if kind == "mailboxes":
        mailboxes(job)
        return
    content = job.content
    clock = Clock(job)
    sock = connect(job.port, ssl.create_default_context(cafile=job.ca))
    if kind == "cold":
        submit(sock, content, job.messages, chained=False)
        clock.report(job.messages)
    else:
        chained = kind == "burst"
        measure(
            lambda: submit(sock, content, job.warm_up, chained=chained),
            lambda: submit(sock, content, job.messages, chained=chained),
            job,
        )
    sock.close()


if __name__ == "__main__":
    main()
