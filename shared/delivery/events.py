"""Events: state changes told to an Event Grid topic as CloudEvents, for those who subscribe.

Telling is best effort and never holds up a delivery; the record is what counts.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Protocol

from shared.accounts.account import Account
from shared.messages.record import Record

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """The topic's client."""

    def send(self, events: Any) -> None:  # noqa: ANN401 - the SDK's own union
        """Publish."""


class Silence:
    """Tells nobody, because no topic is configured."""

    def message(self, account: Account, record: Record) -> None:
        """Tell nobody."""

    def account(self, account: Account) -> None:
        """Tell nobody."""


class Topic:
    """Tells one topic; the subject is ``/accounts/<id>`` or ``/accounts/<id>/messages/<id>``."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        source: str,
        clock: Callable[[], datetime],
        post: Executor,
    ) -> None:
        self._publisher = publisher
        self._source = source
        self._clock = clock
        self._post = post

    def message(self, account: Account, record: Record) -> None:
        """Tell what became of a message; no address and no content goes along."""
        self._tell(
            f"message.{record.status.value}",
            f"/accounts/{account.id}/messages/{record.id}",
            {
                "account_id": account.id,
                "message_id": record.id,
                "status": record.status.value,
                "code": record.trouble.code if record.trouble else None,
            },
        )

    def account(self, account: Account) -> None:
        """Tell how an account stands."""
        self._tell(
            f"account.{account.status.value}",
            f"/accounts/{account.id}",
            {
                "account_id": account.id,
                "status": account.status.value,
                "code": account.obstacle.code if account.obstacle else None,
            },
        )

    def _tell(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        moment = self._clock()
        self._post.submit(self._publish, kind, subject, data, moment)

    def _publish(self, kind: str, subject: str, data: dict[str, Any], moment: datetime) -> None:
        from azure.core.messaging import CloudEvent  # noqa: PLC0415 - only where a topic is told

        event = CloudEvent(source=self._source, type=kind, subject=subject, data=data, time=moment)
        try:
            self._publisher.send([event])
        except Exception:  # noqa: BLE001 - whatever it is, it must not reach a delivery
            _log.warning("event=event_not_published type=%s subject=%s", kind, subject)
