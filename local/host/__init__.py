"""A Functions host for one machine: Microsoft's own worker runtime behind HTTP, queues and timers.

It serves the app of a folder with the settings of the environment, and knows nothing of that app.
Where it differs from the host in Azure: function keys are not asked for, an occurrence of a timer
that was missed is not made up for, a body without Content-Length is handed over (there it is not),
and a function past ``functionTimeout`` fails but keeps its thread (there the worker is replaced).
"""
