"""What a refusal by Microsoft means: the guidance row for a failed submission or token request."""

from shared.guidance import Guidance, for_code, for_reply, for_token_error
from shared.microsoft.smtp import Reply
from shared.microsoft.token_response import TokenError
from shared.microsoft.transaction import Reason, SubmissionError

_WITHOUT_REPLY = {
    Reason.CERTIFICATE: "certificate-invalid",
    Reason.NO_STARTTLS: "starttls-unavailable",
    Reason.TLS: "starttls-refused-now",
    Reason.NO_XOAUTH2: "smtp-mechanism-refused",
}


def explain_submission(error: SubmissionError) -> Guidance:
    """Return the row for a failed submission: by its reply, or by why there was none."""
    if error.reply is None:
        return for_code(_WITHOUT_REPLY.get(error.reason, "smtp-unreachable"))
    reply = error.reply
    return for_reply(error.phase.value, reply.code, reply.enhanced, reply.text)


def explain_token_error(error: TokenError) -> Guidance:
    """Return the row for an error of Entra's, by its facts."""
    return for_token_error(
        error.error,
        suberror=error.suberror,
        codes=error.codes,
        http_status=error.http_status,
        subcode=error.subcode,
    )


def one_line(reply: Reply | None) -> str:
    """Return a reply as one line of text for words and logs."""
    if reply is None:
        return ""
    return " ".join(part for part in (str(reply.code), reply.enhanced, reply.text[:300]) if part)
