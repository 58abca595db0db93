"""The product's submission module on one mailbox; `single`, `burst`, or `cold`.

`mailboxes` runs many accounts through the submission module and the product's token source, which
the product's door brings together.
"""

import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

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
from shared.accounts.account import Account, AccountStatus
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Server, Session
from shared.secrecy import Secret


def submit(session: Session, content: bytes, count: int, *, chained: bool) -> None:
    envelope = Envelope(USER, (TO,), len(content))
    for number in range(count):
        then = envelope if chained and number < count - 1 else None
        session.submit(envelope, content, then=then)


class Kept:
    """One refresh token, as the vault keeps it."""

    def __init__(self, number: str) -> None:
        self.token = Secret(f"refresh-{number}")
        self.written_at = datetime.now(UTC)


class RefreshTokens:
    """A vault in memory: what Key Vault takes is no part of this measurement."""

    def get_refresh_token(self, account_id: str) -> Kept:
        return Kept(account_id)

    def put_refresh_token(self, account_id: str, refresh_token: Secret) -> None:
        raise AssertionError(f"nothing is a week old: {account_id} {refresh_token}")


def account(number: int) -> Account:
    return Account(
        id=str(number),
        customer="firma",
        username=USER,
        address=USER,
        display_name=None,
        status=AccountStatus.CONNECTED,
        scope=(),
        generation="1",
        created_at=datetime.now(UTC),
    )


def mailboxes(job: Job) -> None:
    from shared.delivery.door import Door
    from shared.delivery.sessions import Sessions
    from shared.microsoft.entra import Entra
    from shared.microsoft.tokens import AccessTokens

    endpoint = Entra(
        authority=f"https://{HOST}:{job.tokens}/organizations",
        client_id="bench",
        client_credential=Secret("bench"),
        tls=ssl.create_default_context(cafile=job.ca),
    )
    tokens = AccessTokens(refresh_tokens=RefreshTokens(), endpoint=endpoint)
    content = job.content
    server = Server(HOST, job.port, ssl.create_default_context(cafile=job.ca))

    def serve(number: int) -> None:
        session = door.open(account(number))
        if not isinstance(session, Session):
            raise RuntimeError(session)  # noqa: TRY004 - the run has failed, nobody erred in a type
        submit(session, content, job.messages, chained=True)
        session.close()

    with ThreadPoolExecutor(job.at_once) as threads:
        door = Door(
            tokens=lambda: tokens, server=lambda: server, sessions=Sessions(), threads=threads
        )
        serve_mailboxes(job, serve)


def main() -> None:
    job, kind = read_job(), sys.argv[2]
    if kind == "mailboxes":
        mailboxes(job)
        return
    content = job.content
    clock = Clock(job)
    server = Server(HOST, job.port, ssl.create_default_context(cafile=job.ca))
    session = server.open(USER, lambda: Secret(TOKEN))
    if kind == "cold":
        submit(session, content, job.messages, chained=False)
        clock.report(job.messages)
    else:
        chained = kind == "burst"
        measure(
            lambda: submit(session, content, job.warm_up, chained=chained),
            lambda: submit(session, content, job.messages, chained=chained),
            job,
        )
    session.close()


if __name__ == "__main__":
    main()
