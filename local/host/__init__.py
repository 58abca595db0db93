"""A Functions host for one machine: Microsoft's own worker runtime behind HTTP, queues and timers.

It serves the app of a folder with the settings of the environment, and knows nothing of that app.
"""
