"""host.json: the part of it that this host honours, with the real host's defaults."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.host.errors import StartError


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """``extensions.queues``; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_polling_interval: float = 60
    delay_after_failure: float = 0
    max_dequeue_count: int = 5
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What host.json says."""

    route_prefix: str = "api"
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    function_timeout: float | None = 1800
    log_level: str = "Information"
    queues: QueueSettings = field(default_factory=QueueSettings)


def read_settings(folder: Path) -> HostSettings:
    """Read host.json from *folder*; every fault of it stops the start."""
    path = folder / "host.json"
    try:
        document = json.loads(path.read_text("utf-8"))
        if document.get("version") != "2.0":
            raise StartError(f"{path}: 'version' must be \"2.0\"")
        return _from_document(document)
    except FileNotFoundError as error:
        raise StartError(f"{path} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise StartError(f"{path}: {error}") from error


def _from_document(document: Mapping[str, Any]) -> HostSettings:
    extensions = document.get("extensions", {})
    http = extensions.get("http", {})
    timeout = document.get("functionTimeout", "00:30:00")
    return HostSettings(
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        custom_headers=http.get("customHeaders", {}),
        function_timeout=None if timeout == "-1" else read_timespan(timeout),
        log_level=document.get("logging", {}).get("logLevel", {}).get("default", "Information"),
        queues=_queues(extensions.get("queues", {})),
    )


def _queues(queues: Mapping[str, Any]) -> QueueSettings:
    batch_size = int(queues.get("batchSize", 16))
    if not 1 <= batch_size <= 32:
        raise ValueError(f"queues.batchSize is {batch_size}, it must be 1 to 32")
    encoding = str(queues.get("messageEncoding", "base64")).lower()
    if encoding not in {"base64", "none"}:
        raise ValueError(f"queues.messageEncoding is {encoding!r}, it must be 'base64' or 'none'")
    return QueueSettings(
        batch_size=batch_size,
        new_batch_threshold=int(queues.get("newBatchThreshold", batch_size // 2)),
        max_polling_interval=read_timespan(queues.get("maxPollingInterval", "00:01:00")),
        delay_after_failure=read_timespan(queues.get("visibilityTimeout", "00:00:00")),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        base64=encoding == "base64",
    )


def read_timespan(text: str) -> float:
    """Read .NET's ``[d.]hh:mm:ss[.fff]`` as seconds."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)", str(text))
    if match is None:
        raise ValueError(f"{text!r} is no time span (hh:mm:ss)")
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
