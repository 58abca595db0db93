"""A refresh token for an access token, with no more than the standard library; per thread."""

import http.client
import json
import ssl
import threading
from urllib.parse import urlencode

from bench.clients.job import HOST, Job


class TokenClient:
    """Asks the job's token endpoint, over one kept connection a thread."""

    def __init__(self, job: Job, tls: ssl.SSLContext) -> None:
        self._port = job.tokens
        self._tls = tls
        self._kept = threading.local()

    def refresh(self, number: int) -> str:
        """Return the access token of mailbox *number*."""
        if not hasattr(self._kept, "connection"):
            self._kept.connection = http.client.HTTPSConnection(
                HOST, self._port, context=self._tls
            )
        body = urlencode(
            {
                "client_id": "bench",
                "client_secret": "bench",
                "grant_type": "refresh_token",
                "refresh_token": f"refresh-{number}",
                "scope": "https://outlook.office.com/SMTP.Send offline_access",
            }
        )
        connection: http.client.HTTPSConnection = self._kept.connection
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/organizations/oauth2/v2.0/token", body, head)
        return str(json.loads(connection.getresponse().read())["access_token"])
