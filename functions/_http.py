"""The HTTP boundary: who calls, what came, and every outcome as a response the caller knows."""

import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import azure.functions as func

from shared import wiring
from shared.errors import Fault, ServiceError
from shared.language import preferred_language

if TYPE_CHECKING:
    from shared.caller import Caller
    from shared.pages.visit import Answer

JSON = "application/json"
PATCHES = (JSON, "application/merge-patch+json")
"""What a PATCH may be: members left out stay as they are (RFC 7396), by either name."""
PROBLEM = "application/problem+json"
LARGEST_BODY = 36 * 1024 * 1024
"""Bytes of a request: a 25 MB attachment in base64, and room for the rest of the message."""
SMALL_BODY = 64 * 1024
RETRY_SECONDS = 5
"""When to come again after something behind us was down, where nobody knows better."""
EXPOSED = "Idempotency-Replayed, Location, Preference-Applied, Retry-After"
METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
ASKED = "Authorization, Content-Type, Idempotency-Key, Prefer, Accept-Language"

_log = logging.getLogger(__name__)
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)

type Handler = Callable[[func.HttpRequest], func.HttpResponse]


def endpoint(handler: Handler) -> Handler:
    """Turn what *handler* raises into a problem (RFC 9457); add what every response carries."""

    @functools.wraps(handler)
    def answered(req: func.HttpRequest) -> func.HttpResponse:
        try:
            response = handler(req)
        except ServiceError as error:
            response = problem(req, error)
        except Exception:  # noqa: BLE001 - the boundary: whatever it is, it becomes a problem
            instance = _instance()
            _log.exception("event=unexpected instance=%s", instance)
            response = problem(req, ServiceError("internal-error"), instance)
        varies = response.headers.get("Vary", "Accept-Language")
        for name, value in cors(req).items():
            response.headers[name] = value
        response.headers["Vary"] = f"{varies}, Origin"
        return response

    return answered


def problem(
    req: func.HttpRequest, error: ServiceError, instance: str | None = None
) -> func.HttpResponse:
    """Return *error* as a problem document in the language of the request."""
    from shared.guidance import problem_document

    instance = instance or _instance()
    language = language_of(req)
    document = problem_document(
        error.code,
        language=language,
        public_url=wiring.config().public_url,
        values={"product": wiring.config().product_name, **error.values},
        faults=error.faults,
        instance=instance,
    )
    _log.info("event=refused code=%s instance=%s", document["code"], instance)
    status = int(str(document["status"]))
    response = func.HttpResponse(
        json.dumps(document, ensure_ascii=False).encode(), status_code=status
    )
    response.headers["Content-Type"] = PROBLEM
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    if error.retry_after is not None or status == 503:
        response.headers["Retry-After"] = str(error.retry_after or RETRY_SECONDS)
    if status == 405:
        response.headers["Allow"] = error.values.get("allow", "")
    if status == 415 and req.method == "PATCH":
        response.headers["Accept-Patch"] = ", ".join(PATCHES)  # RFC 5789 section 2.2
    if status in (401, 403):
        response.headers["WWW-Authenticate"] = _challenge(error)
    return response


def _challenge(error: ServiceError) -> str:
    """Return the challenge of RFC 6750 section 3."""
    parts = ['Bearer realm="mail"']
    if error.code == "invalid-token":
        parts.append('error="invalid_token"')
    if error.code == "insufficient-scope":
        parts += ['error="insufficient_scope"', f'scope="{error.values.get("scope", "")}"']
    return ", ".join(parts)


def _instance() -> str:
    import uuid

    return f"urn:uuid:{uuid.uuid4()}"


def cors(req: func.HttpRequest) -> dict[str, str]:
    """Return the CORS headers for an allowed origin, and for no other."""
    headers = {"X-Content-Type-Options": "nosniff"}
    origin = req.headers.get("Origin", "")
    if origin and origin.lower() in wiring.config().allowed_origins:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = EXPOSED
    return headers


def preflight(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a CORS preflight (Fetch standard, CORS-preflight fetch)."""
    response = func.HttpResponse(status_code=204)
    if "Access-Control-Allow-Origin" in cors(req):
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = ASKED
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def caller(req: func.HttpRequest, scope: str) -> "Caller":
    """Return who calls; raises ServiceError when the token is wrong or lacks *scope*."""
    found = wiring.callers().verify(req.headers.get("Authorization"))
    if scope not in found.scopes:
        raise ServiceError("insufficient-scope", scope=scope)
    return found


def media_type(req: func.HttpRequest) -> str:
    """Return the media type of the body, in lower case and without parameters."""
    return (req.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def body(req: func.HttpRequest, *, limit: int) -> bytes:
    """Return the body; raises ServiceError("body-too-large") for more than *limit* bytes."""
    octets = req.get_body() or b""
    if len(octets) > limit:
        raise ServiceError("body-too-large", limit=f"{limit // 1024} KiB")
    return octets


def json_body(req: func.HttpRequest) -> object:
    """Return the small JSON body of a request.

    Raises ServiceError ``body-too-large``, ``unsupported-media-type`` or ``malformed-json``.
    """
    from shared.strict_json import parse

    octets = body(req, limit=SMALL_BODY)
    if media_type(req) not in (PATCHES if req.method == "PATCH" else (JSON,)):
        raise ServiceError("unsupported-media-type")
    return parse(octets)


def no_body(req: func.HttpRequest) -> None:
    """Check that a request without parameters has none, so that nothing asked for is ignored."""
    octets = body(req, limit=SMALL_BODY)
    if octets.strip() in (b"", b"{}"):
        return
    if media_type(req) != JSON:
        raise ServiceError("unsupported-media-type")
    members = json_body(req)
    names = list(members) if isinstance(members, dict) else [""]
    faults = [
        Fault(f"/{name}" if name else "", "is not a member of this request") for name in names
    ]
    raise ServiceError("invalid-request", faults=faults)


def json_response(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """Return *value* as JSON."""
    response = func.HttpResponse(
        json.dumps(value, ensure_ascii=False).encode(), status_code=status
    )
    response.headers["Content-Type"] = JSON
    response.headers["Cache-Control"] = "no-store"
    for name, text in (headers or {}).items():
        response.headers[name] = text
    return response


def page_response(answer: "Answer") -> func.HttpResponse:
    """Translate a page; a header whose name comes twice keeps both values."""
    response = func.HttpResponse(answer.body, status_code=answer.status)
    for name, value in answer.headers:
        if name == "Set-Cookie":
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response


def page_of(req: func.HttpRequest) -> tuple[int, str]:
    """Return ``limit`` and what ``cursor`` says to go on after.

    Raises ServiceError("invalid-query") with every fault.
    """
    from shared.identifiers import is_identifier

    faults = [
        Fault(name, "is not a parameter of this request")
        for name in req.params
        if name not in ("limit", "cursor")
    ]
    limit = req.params.get("limit", "25")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= 100):
        faults.append(Fault("limit", "must be a whole number from 1 to 100"))
    cursor = req.params.get("cursor", "")
    if "cursor" in req.params and not is_identifier(cursor):
        faults.append(Fault("cursor", "is not one that this collection gave"))
    if faults:
        raise ServiceError("invalid-query", faults=faults)
    return int(limit), cursor


def seconds_to_wait(req: func.HttpRequest) -> int | None:
    """Return N of ``Prefer: wait=N`` (RFC 7240), 60 at most; None when there is none."""
    found = _WAIT.search(req.headers.get("Prefer", ""))
    return min(int(found[1]), 60) if found else None


def language_of(req: func.HttpRequest) -> str:
    """Return the language to answer in, ``nb`` or ``en``."""
    return preferred_language(req.headers.get("Accept-Language"))


type Json = dict[str, Any]
