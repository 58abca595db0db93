"""What stops a start: said in one line, then the host ends."""


class StartError(Exception):
    """The host cannot serve this app; *details* (a stack trace) are for the app's author."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details
