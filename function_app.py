"""Azure Functions entry point: names every function in the app, does nothing else."""

import gc

gc.disable()  # all that a start makes stays; to look for garbage in it costs a third of its time

import azure.functions as func  # noqa: E402

from functions import (  # noqa: E402
    accounts,
    delivery,
    documentation,
    elsewhere,
    health,
    messages,
    oauth,
    upkeep,
)
from shared import wiring  # noqa: E402

wiring.start()  # wrong settings end it here, with one message that names them all

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (accounts, messages, oauth, delivery, upkeep, health, documentation, elsewhere):
    app.register_functions(module.blueprint)

gc.freeze()
gc.enable()
