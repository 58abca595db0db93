"""The OpenAPI document: the file beside this module, with the address where it is served."""

import functools
import json
from pathlib import Path
from typing import Any


@functools.cache
def document(public_url: str) -> dict[str, Any]:
    """Return the document for the service at *public_url*; callers do not change it."""
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return {**found, "servers": [{"url": f"{public_url}/api"}]}
