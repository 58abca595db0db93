"""What Entra refuses and how it says so: AADSTS number, OAuth error, suberror, words."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row; *words* may hold placeholders."""

    error: str
    words: str
    suberror: str | None = None
    status: int = 400


GRANT = "invalid_grant"
CLIENT = "invalid_client"
REQUEST = "invalid_request"

REFUSALS: dict[int, Refusal] = {
    50011: Refusal(
        REQUEST,
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect "
        "URIs configured for the application '{client_id}'.",
    ),
    50013: Refusal(CLIENT, "Assertion failed signature validation.", status=401),
    50020: Refusal(
        GRANT,
        "User account '{username}' from another identity provider does not exist in tenant "
        "'{tenant}' and cannot access the application '{client_id}' in that tenant.",
    ),
    50034: Refusal(
        GRANT,
        "The user account {username} does not exist in the {tenant} directory. To sign into this "
        "application, the account must be added to the directory.",
    ),
    50053: Refusal(GRANT, "The account is locked after too many wrong sign-ins."),
    50055: Refusal(GRANT, "The password is expired.", "user_password_expired"),
    50057: Refusal(GRANT, "The user account is disabled."),
    50076: Refusal(
        GRANT,
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must use multi-factor authentication to access '{resource}'.",
        "basic_action",
    ),
    50079: Refusal(GRANT, "You must enroll in multi-factor authentication.", "basic_action"),
    50105: Refusal(
        GRANT,
        "Your administrator has configured the application {application} ('{client_id}') to block "
        "users unless they are specifically granted access to it. The user '{username}' is not.",
    ),
    50126: Refusal(GRANT, "Error validating credentials due to invalid username or password."),
    50173: Refusal(
        GRANT,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. "
        "The grant was issued on '{issued}' and the TokensValidFrom date for this user is "
        "'{valid_from}'.",
        "bad_token",
    ),
    50196: Refusal(
        GRANT,
        "The server terminated an operation because it encountered a client request loop. Please "
        "contact your app vendor.",
    ),
    500011: Refusal(
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {tenant}.",
    ),
    501481: Refusal(
        GRANT,
        "The Code_Verifier does not match the code_challenge supplied in the authorization "
        "request.",
    ),
    53000: Refusal(GRANT, "The device is not in the required state: compliant.", "message_only"),
    53003: Refusal(
        GRANT,
        "Access has been blocked by Conditional Access policies. The access policy does not allow "
        "token issuance.",
        "message_only",
    ),
    54005: Refusal(
        GRANT,
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or "
        "use an existing refresh token.",
    ),
    65001: Refusal(
        GRANT,
        "The user or administrator has not consented to use the application with ID '{client_id}' "
        "named '{application}'. Send an interactive authorization request for this user and "
        "resource.",
        "consent_required",
    ),
    65004: Refusal("access_denied", "User declined to consent to access the app."),
    650053: Refusal(
        "invalid_client",
        "The application '{application}' asked for scope '{scope}' that doesn't exist on the "
        "resource.",
    ),
    650057: Refusal(
        "invalid_resource",
        "Invalid resource. The client has requested access to a resource which is not listed in "
        "the requested permissions in the client's application registration.",
    ),
    70000: Refusal(GRANT, "Provided grant is invalid or malformed.", "bad_token"),
    70003: Refusal("unsupported_grant_type", "The app requested an unsupported grant type."),
    70008: Refusal(
        GRANT,
        "The provided authorization code or refresh token has expired due to inactivity. Send a "
        "new interactive authorization request for this user and resource.",
    ),
    70011: Refusal(
        "invalid_scope",
        "The provided value for the input parameter 'scope' is not valid: {scope}.",
    ),
    70043: Refusal(
        GRANT,
        "The refresh token has expired or is invalid due to sign-in frequency checks by "
        "conditional access.",
        "token_expired",
    ),
    700005: Refusal(
        GRANT,
        "Provided Authorization Code is intended to use against other tenant, thus rejected.",
    ),
    700007: Refusal(REQUEST, "The response_type or response_mode is not supported."),
    700016: Refusal(
        "unauthorized_client",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'.",
    ),
    700024: Refusal(CLIENT, "Client assertion is not within its valid time range.", status=401),
    700082: Refusal(
        GRANT,
        "The refresh token has expired due to inactivity. The token was issued on {issued} and "
        "was inactive for 90.00:00:00.",
        "token_expired",
    ),
    7000112: Refusal(
        "unauthorized_client", "Application '{client_id}'({application}) is disabled."
    ),
    7000215: Refusal(
        CLIENT,
        "Invalid client secret provided. Ensure the secret being sent in the request is the "
        "client secret value, not the client secret ID, for a secret added to app '{client_id}'.",
        status=401,
    ),
    7000218: Refusal(
        CLIENT,
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
        status=401,
    ),
    7000222: Refusal(
        CLIENT, "The provided client secret keys for app '{client_id}' are expired.", status=401
    ),
    700211: Refusal(
        CLIENT,
        "No matching federated identity record found for presented assertion issuer.",
        status=401,
    ),
    700212: Refusal(
        CLIENT,
        "No matching federated identity record found for presented assertion audience.",
        status=401,
    ),
    700213: Refusal(
        CLIENT,
        "No matching federated identity record found for presented assertion subject '{subject}'.",
        status=401,
    ),
    90002: Refusal(REQUEST, "Tenant '{tenant}' not found."),
    90023: Refusal(REQUEST, "Invalid STS request."),
    90033: Refusal("temporarily_unavailable", "A transient error has occurred. Please try again."),
    90055: Refusal(
        "temporarily_unavailable", "The tenant has exceeded its request allowance.", status=429
    ),
    90094: Refusal(
        "access_denied",
        "{application} needs permission to access resources in your organization that only an "
        "admin can grant.",
    ),
    900144: Refusal(
        REQUEST, "The request body must contain the following parameter: '{parameter}'."
    ),
    9002313: Refusal(GRANT, "Invalid request. Request is malformed or invalid.", "bad_token"),
}


ON_DEMAND = Refusal(REQUEST, "Refused on demand.")


class RefusedError(Exception):
    """A request Entra does not grant."""

    def __init__(self, number: int, **values: str) -> None:
        super().__init__(number)
        self.number = number
        self.row = REFUSALS.get(number, ON_DEMAND)
        filled = self.row.words.format_map(_Blank(values))
        self.words = f"AADSTS{number}: {filled}"


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def document(refused: RefusedError, *, host: str, correlation: str | None) -> dict[str, Any]:
    """The JSON body of a refusal, as the token endpoint sends it."""
    trace = str(uuid.uuid4())
    correlation = correlation or str(uuid.uuid4())
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    body: dict[str, Any] = {
        "error": refused.row.error,
        "error_description": f"{refused.words} Trace ID: {trace} "
        f"Correlation ID: {correlation} Timestamp: {stamp}",
        "error_codes": [refused.number] if refused.number else [],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{host}/error?code={refused.number}",
    }
    if refused.row.suberror:
        body["suberror"] = refused.row.suberror
    if refused.number == 53003:
        policy = str(uuid.uuid4())
        required = {"capolids": {"essential": True, "values": [policy]}}
        body["claims"] = json.dumps({"access_token": required})
    return body
