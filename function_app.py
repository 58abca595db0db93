"""Azure Functions entry point: names every function in the app, does nothing else."""

import azure.functions as func

from functions import accounts, delivery, documentation, elsewhere, health, messages, oauth, upkeep
from shared import wiring

wiring.start()  # wrong settings end it here, with one message that names them all

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (accounts, messages, oauth, delivery, upkeep, health, documentation, elsewhere):
    app.register_functions(module.blueprint)
