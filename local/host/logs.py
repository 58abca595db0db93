"""Logging: what the app and the host log goes to stderr, one line for each record."""

import logging
import sys
from datetime import UTC, datetime

LEVELS = {
    "Trace": logging.DEBUG,
    "Debug": logging.DEBUG,
    "Information": logging.INFO,
    "Warning": logging.WARNING,
    "Error": logging.ERROR,
    "Critical": logging.CRITICAL,
    "None": logging.CRITICAL + 1,
}
QUIET = ("azure.functions", "uvicorn", "asyncio", "local.host.storage")
"""The runtime's own chatter, the HTTP server's, and the host's calls to storage."""


class OneLine(logging.Formatter):
    """Time, level, logger, message; a stack trace stays in the line of its record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write *record*."""
        text = super().format(record).replace("\r", "\\r").replace("\n", "\\n")
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{time.removesuffix('+00:00')}Z {record.levelname:8} {record.name}: {text}"


def start_logging(level: str) -> None:
    """Send everything of *level* (host.json's word) and above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=LEVELS.get(level, logging.INFO), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
