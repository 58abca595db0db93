"""aiosmtplib on one reused connection."""

import asyncio
import ssl
import sys

import aiosmtplib

from bench.clients.job import TO, TOKEN, USER, Clock, read_job


async def main() -> None:
    job, kind = read_job(), sys.argv[2]
    content = job.content
    clock = Clock()
    client = aiosmtplib.SMTP(
        hostname="localhost",
        port=job.port,
        start_tls=True,
        tls_context=ssl.create_default_context(cafile=job.ca),
    )
    await client.connect()
    await client.auth_xoauth2(USER, TOKEN)
    for _ in range(job.warm_up):
        await client.sendmail(USER, [TO], content)
    if kind != "cold":
        clock = Clock()
    for _ in range(job.messages):
        await client.sendmail(USER, [TO], content)
    clock.report(job.messages)
    client.close()


if __name__ == "__main__":
    asyncio.run(main())
