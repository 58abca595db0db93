"""Wake-ups: queue messages that carry an account's id and nothing else, and may come twice."""

import contextlib
import re
from datetime import datetime, timedelta
from urllib.parse import quote
from xml.sax.saxutils import escape, unescape

from shared.errors import ServiceError
from shared.schedule import Sent
from shared.store.endpoint import Answer, Endpoint

VERSION = "2021-12-02"
LONGEST = timedelta(days=6)
"""A queue message can hide for seven days; a later moment is reached by waking up on the way."""
FOREVER = -1


class Wakeups:
    """The queue of wake-ups and its poison queue, where only a bug sends them."""

    def __init__(self, endpoint: Endpoint, *, queue: str, poison: str) -> None:
        self._endpoint = endpoint
        self._queue = queue
        self._poison = poison

    def send(self, account: str, *, at: datetime, now: datetime) -> Sent:
        """Wake the mailbox *at* that moment or after ``LONGEST``, whichever comes first.

        Raises ServiceError("storage-unavailable").
        """
        delay = min(max(at - now, timedelta()), LONGEST).total_seconds()
        return self._put(account, hidden=int(delay) + (delay > int(delay)))

    def call_back(self, sent: Sent) -> None:
        """Take back a wake-up that is not needed any more; one that came already does no harm."""
        with contextlib.suppress(ServiceError):
            self._delete(self._queue, sent)

    def count_poisoned(self) -> int:
        """Return how many wake-ups failed too often, about."""
        answer = self._asked("GET", self._poison, "", {"comp": "metadata"})
        return int(answer.headers.get("x-ms-approximate-messages-count", "0"))

    def redrive(self, limit: int = 32) -> list[str]:
        """Send poisoned wake-ups again, *limit* at most; return the accounts they name.

        A wake-up is only a reminder to look, so that looking again is always safe.
        """
        taking = {"numofmessages": str(min(limit, 32)), "visibilitytimeout": "30"}
        answer = self._asked("GET", self._poison, "/messages", taking)
        moved = []
        for message in _MESSAGE.findall(answer.body.decode()):
            account = _element("MessageText", message)
            self._put(account, hidden=0)
            self._delete(self._poison, _sent(message))
            moved.append(account)
        return moved

    def is_reachable(self) -> bool:
        """Tell whether the queue answers; raises nothing."""
        try:
            self._asked("GET", self._queue, "", {"comp": "metadata"})
        except ServiceError:
            return False
        return True

    def _put(self, text: str, *, hidden: int) -> Sent:
        query = {"visibilitytimeout": str(hidden), "messagettl": str(FOREVER)}
        body = f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>"
        answer = self._asked("POST", self._queue, "/messages", query, body.encode())
        return _sent(answer.body.decode())

    def _delete(self, queue: str, sent: Sent) -> None:
        query = {"popreceipt": sent.receipt}
        self._endpoint.ask("DELETE", f"/{queue}/messages/{quote(sent.id)}", query=query)

    def _asked(
        self, method: str, queue: str, path: str, query: dict[str, str], body: bytes = b""
    ) -> Answer:
        """Ask; a queue that is not there yet is made, and what was asked is asked again."""
        kind = {"Content-Type": "application/xml"} if body else {}

        def ask() -> Answer:
            return self._endpoint.ask(
                method, f"/{queue}{path}", query=query, headers=kind, body=body
            )

        answer = ask()
        if answer.status == 404:
            self._endpoint.ask("PUT", f"/{queue}")  # 409: somebody was faster
            answer = ask()
        if answer.status >= 300:
            raise ServiceError("storage-unavailable", retry_after=5)
        return answer


_MESSAGE = re.compile("<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)


def _element(name: str, xml: str) -> str:
    """Return the text of an element that has no attributes and no children."""
    _, found, rest = xml.partition(f"<{name}>")
    return unescape(rest.partition(f"</{name}>")[0]) if found else ""


def _sent(xml: str) -> Sent:
    return Sent(_element("MessageId", xml), _element("PopReceipt", xml))
