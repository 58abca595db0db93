"""Timer triggers: what nobody asks for and must happen all the same."""

import logging

import azure.functions as func

from shared import wiring

blueprint = func.Blueprint()

_log = logging.getLogger(__name__)


@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def upkeep(timer: func.TimerRequest) -> None:
    """Do what the agenda says is due."""
    done = wiring.upkeep().run()
    counts = " ".join(f"{task.value}={count}" for task, count in done.items())
    _log.info("event=upkeep late=%s %s", timer.past_due, counts)


@blueprint.timer_trigger(arg_name="timer", schedule="0 20 3 * * *")
def rotate_sealing_key(timer: func.TimerRequest) -> None:
    """Give tickets and cookies a new key when the newest one is a month old."""
    wiring.seal().rotate(wiring.now())
    _log.info("event=sealing_key_checked late=%s", timer.past_due)
