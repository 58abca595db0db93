"""The callers: they post what the plan says, and ask again until they are answered."""

import heapq
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.client import Answer, Api
from tests.soak.hosts import Host
from tests.soak.plan import Post

LONGEST_PAUSE = 3.0


class Callers:
    """Call either host; *unanswered* counts broken calls, *faults* are answers not to be had."""

    def __init__(
        self, api: Api, hosts: Sequence[Host], *, seed: int, deadline: float, over: threading.Event
    ) -> None:
        self.statuses: Counter[int] = Counter()
        self.unanswered = 0
        self.faults: list[str] = []
        self._apis = [
            Api(host.url, api.standins, api.mint, api.customer, api.mint(api.customer))
            for host in hosts
        ]
        self._chance = random.Random(f"callers {seed}")
        self.deadline = deadline
        self.over = over

    def call(
        self, method: str, path: str, body: object = None, at: int | None = None, **headers: str
    ) -> Answer:
        """Call one host, or the one *at* that place, until there is an answer to keep.

        Raises TimeoutError when the time is up, or all is over.
        """
        while time.monotonic() < self.deadline and not self.over.is_set():
            api = self._chance.choice(self._apis) if at is None else self._apis[at]
            try:
                answer = api.call(method, path, body, **headers)
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                at = None
                time.sleep(0.3)
                continue
            self.statuses[answer.status] += 1
            if not self._is_put_off(answer):
                return answer
            wait = float(answer.headers.get("retry-after", "0.3"))
            time.sleep(min(wait, LONGEST_PAUSE))
        raise TimeoutError(f"{method} {path}")

    def _is_put_off(self, answer: Answer) -> bool:
        kind = answer.headers.get("content-type", "")
        if answer.status >= 400 and not kind.startswith("application/problem+json"):
            self.faults.append(f"{answer.status} {answer.text[:200]}")
            return True
        if answer.status >= 500 and answer.status != 503:
            self.faults.append(f"{answer.status} {answer.text[:200]}")
            return True
        if answer.status == 409:
            return bool(answer.json["code"] == "idempotency-key-in-flight")
        return answer.status in (429, 503)


class Load:
    """Posts every message at its moment, those of one mailbox one after the other."""

    def __init__(self, callers: Callers, accounts: Sequence[str], posts: list[list[Post]]) -> None:
        self._callers = callers
        self._accounts = accounts
        self._due = [(mine[0].at, mailbox, 0) for mailbox, mine in enumerate(posts)]
        self._posts = posts
        self._lock = threading.Lock()
        self._begin = 0.0
        heapq.heapify(self._due)

    def run(self, threads: int) -> None:
        """Post it all, by that many senders at once."""
        self._begin = time.monotonic()
        with ThreadPoolExecutor(threads) as senders:
            for sending in [senders.submit(self._send_on) for _ in range(threads)]:
                sending.result()

    @property
    def accepted(self) -> int:
        """How many messages got their 202 so far."""
        return sum(1 for mine in self._posts for post in mine if post.ids)

    def _send_on(self) -> None:
        while (taken := self._next()) is not None:
            at, mailbox, number = taken
            self._callers.over.wait(max(0.0, self._begin + at - time.monotonic()))
            try:
                self._send(self._posts[mailbox][number])
            except TimeoutError:
                return
            if number + 1 < len(self._posts[mailbox]):
                with self._lock:
                    later = self._posts[mailbox][number + 1].at
                    heapq.heappush(self._due, (later, mailbox, number + 1))

    def _next(self) -> tuple[float, int, int] | None:
        with self._lock:
            return heapq.heappop(self._due) if self._due else None

    def _send(self, post: Post) -> None:
        if post.twin:
            with ThreadPoolExecutor(2) as twins:
                for sending in [twins.submit(self._ask, post, at) for at in (0, 1)]:
                    sending.result()
        else:
            self._ask(post, None)
        if post.cancels and len(post.ids) == 1:
            answer = self._callers.call("POST", f"{self._path(post)}/{min(post.ids)}/cancel")
            post.cancelled = answer.status == 200

    def _ask(self, post: Post, at: int | None) -> None:
        body: dict[str, Any] = {
            "to": post.to,
            "subject": post.key,
            "text": f"Faktura {post.number}\n" * 40,
            "on_uncertain": "resend" if post.resend else "hold",
        }
        answer = self._callers.call(
            "POST", self._path(post), json.dumps(body).encode(), at, idempotency_key=post.key
        )
        if answer.status == 202:
            post.ids.add(answer.json["id"])
        else:
            self._callers.faults.append(f"{answer.status} {answer.text[:200]}")

    def _path(self, post: Post) -> str:
        return f"/accounts/{self._accounts[post.mailbox]}/messages"
