"""Queue trigger: a wake-up says that a mailbox may have something to send."""

import logging
from datetime import timedelta

import azure.functions as func

from shared import wiring
from shared.config import STORAGE
from shared.errors import ServiceError
from shared.identifiers import is_identifier

blueprint = func.Blueprint()
LATER = timedelta(seconds=30)

_log = logging.getLogger(__name__)


@blueprint.queue_trigger(arg_name="wakeup", queue_name="wakeups", connection=STORAGE)
def deliver(wakeup: func.QueueMessage) -> None:
    """Drain the mailbox that the wake-up names.

    A store that is down is no fault of the wake-up: it is put off, so that only bugs use up its
    tries and end in the poison queue.
    """
    account = wakeup.get_body().decode("ascii", "replace").strip()
    if not is_identifier(account):
        _log.error("event=wakeup_unreadable id=%s", wakeup.id)
        return
    try:
        wiring.drain(account)
    except ServiceError as error:
        _log.warning("event=drain_put_off account=%s code=%s", account, error.code)
        moment = wiring.now()
        wiring.wakeups().send(account, at=moment + LATER, now=moment)
