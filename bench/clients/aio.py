"""aiosmtplib on one reused connection; `mailboxes` runs many accounts that fetch their tokens."""

import asyncio
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

import aiosmtplib

from bench.clients.job import HOST, TO, TOKEN, USER, Clock, Job, read_job
from bench.clients.tokens import TokenClient


async def connect(job: Job, tls: ssl.SSLContext, token: str = TOKEN) -> aiosmtplib.SMTP:
    client = aiosmtplib.SMTP(hostname=HOST, port=job.port, start_tls=True, tls_context=tls)
    await client.connect()
    await client.auth_xoauth2(USER, token)
    return client


async def mailboxes(job: Job) -> None:
    content, tls = job.content, ssl.create_default_context(cafile=job.ca)
    tokens, numbers = TokenClient(job, tls), iter(range(job.mailboxes))

    async def work() -> None:
        for number in numbers:
            client = await connect(job, tls, await asyncio.to_thread(tokens.refresh, number))
            for _ in range(job.messages):
                await client.sendmail(USER, [TO], content)
            client.close()

    clock = Clock(job)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(job.at_once))
    await asyncio.gather(*(work() for _ in range(job.at_once)))
    clock.report(job.mailboxes * job.messages)


async def main() -> None:
    job, kind = read_job(), sys.argv[2]
    if kind == "mailboxes":
        await mailboxes(job)
        return
    content = job.content
    clock = Clock(job)
    client = await connect(job, ssl.create_default_context(cafile=job.ca))
    for _ in range(job.warm_up):
        await client.sendmail(USER, [TO], content)
    if kind != "cold":
        clock = Clock(job)
    for _ in range(job.messages):
        await client.sendmail(USER, [TO], content)
    clock.report(job.messages)
    client.close()


if __name__ == "__main__":
    asyncio.run(main())
