"""Every reply a delegated sender meets at Exchange, and what has to follow from it."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guidance import Disposition, every_code, for_code, for_reply
from shared.guidance.catalogue import source

HOLD, FAIL, RETRY = Disposition.HOLD, Disposition.FAIL, Disposition.RETRY
REFRESH, OUTAGE = Disposition.REFRESH, Disposition.OUTAGE
MAILBOX, TENANT = Disposition.PACE_MAILBOX, Disposition.PACE_TENANT

UNSUCCESSFUL = "Authentication unsuccessful, "
STORE = "STOREDRV.Submission.Exception:"

type Case = tuple[str, int, str | None, str, Disposition, bool, int | None, str]

# stage, code, enhanced, text; disposition, recheck, pause in seconds, who
REPLIES: list[Case] = [
    ("connect", 421, "4.3.2", "Service not active", RETRY, False, None, "nobody"),
    ("mail", 421, "4.3.2", "Service not available", RETRY, False, None, "nobody"),
    ("mail", 421, "4.4.1", "Connection timed out. Total session", RETRY, False, None, "nobody"),
    ("content", 421, "4.4.2", "Connection dropped", RETRY, False, None, "nobody"),
    ("connect", 421, "4.7.66", "TLS 1.0 and 1.1 are not", OUTAGE, False, None, "operator"),
    ("auth", 535, "5.7.3", "Authentication unsuccessful", REFRESH, True, None, "user"),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "SmtpClientAuthentication is disabled for the Tenant. Visit",
        HOLD,
        True,
        None,
        "admin",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "SmtpClientAuthentication is disabled for the Mailbox. Visit",
        HOLD,
        True,
        None,
        "admin",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "basic authentication is disabled.",
        OUTAGE,
        False,
        None,
        "operator",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "user is locked by your organization's security defaults policy.",
        HOLD,
        True,
        None,
        "admin",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "the request did not meet the criteria to be authenticated",
        HOLD,
        True,
        None,
        "admin",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "the user credentials were incorrect.",
        REFRESH,
        True,
        None,
        "user",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "federated STS service was unreachable.",
        HOLD,
        True,
        None,
        "admin",
    ),
    (
        "auth",
        535,
        "5.7.139",
        UNSUCCESSFUL + "the federated STS URL does not support HTTPS.",
        HOLD,
        True,
        None,
        "admin",
    ),
    ("auth", 535, "5.7.139", "in words never seen before", HOLD, True, None, "admin"),
    ("auth", 535, None, "Authentication failed", REFRESH, True, None, "user"),
    ("auth", 550, "5.7.30", "Basic authentication is not", OUTAGE, False, None, "operator"),
    ("auth", 501, "5.5.124", "Invalid XOAUTH2 auth data", REFRESH, True, None, "user"),
    ("auth", 501, "5.5.127", "Token will expire soon", REFRESH, True, None, "operator"),
    ("auth", 451, "4.7.0", "Temporary server error. PRX4", RETRY, False, None, "nobody"),
    ("auth", 454, "4.7.0", "Temporary authentication failure", RETRY, False, None, "nobody"),
    ("starttls", 454, "4.7.0", "TLS not available", RETRY, False, None, "nobody"),
    ("auth", 504, "5.7.4", "Unrecognized authentication", OUTAGE, False, None, "operator"),
    ("mail", 530, "5.7.57", "Client not authenticated", OUTAGE, False, None, "operator"),
    (
        "mail",
        530,
        "5.7.57",
        "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.",
        HOLD,
        True,
        None,
        "admin",
    ),
    ("mail", 501, "5.1.7", "Invalid address", HOLD, True, None, "caller"),
    ("mail", 501, "5.1.3", "Invalid address", HOLD, True, None, "caller"),
    ("rcpt", 501, "5.1.3", "Invalid address", FAIL, False, None, "caller"),
    ("rcpt", 501, "5.1.7", "Invalid address", FAIL, False, None, "caller"),
    ("mail", 500, "5.3.3", "Unrecognized command 'unknown'", RETRY, False, None, "nobody"),
    ("rcpt", 500, "5.3.3", "Unrecognized command 'unknown'", RETRY, False, None, "nobody"),
    ("mail", 552, "5.3.4", "Message size exceeds", FAIL, False, None, "caller"),
    ("content", 552, "5.3.4", "Message size exceeds", FAIL, False, None, "caller"),
    ("content", 554, "5.2.3", "RESOLVER.RST.SendSizeLimit", FAIL, False, None, "caller"),
    ("rcpt", 452, "4.5.3", "Too many recipients", RETRY, False, None, "nobody"),
    ("rcpt", 550, "5.5.3", "Too many recipients", FAIL, False, None, "caller"),
    ("content", 552, "5.5.3", "RESOLVER.ADR.RecipLimit", FAIL, False, None, "caller"),
    ("rcpt", 550, "5.1.10", "Recipient not found", FAIL, False, None, "caller"),
    ("rcpt", 550, "5.1.1", "User unknown", FAIL, False, None, "caller"),
    ("rcpt", 550, "5.4.1", "Access denied", FAIL, False, None, "caller"),
    ("content", 432, "4.3.2", "Concurrent connections limit", MAILBOX, False, 30, "nobody"),
    ("content", 432, "4.3.2", "STOREDRV.ClientSubmit; sender", MAILBOX, False, 30, "nobody"),
    ("content", 554, "5.2.252", "SendAsDenied; a not allowed", HOLD, True, None, "admin"),
    ("content", 554, "5.2.0", STORE + "SendAsDeniedException", HOLD, True, None, "admin"),
    ("mail", 550, "5.7.60", "Client does not have perm", HOLD, True, None, "admin"),
    ("content", 550, "5.7.60", "Client does not have perm", HOLD, True, None, "admin"),
    (
        "content",
        554,
        "5.2.0",
        STORE + "SubmissionQuotaExceededException",
        MAILBOX,
        False,
        3600,
        "nobody",
    ),
    ("content", 554, "5.2.2", "Submission quota exceeded", MAILBOX, False, 3600, "nobody"),
    (
        "content",
        554,
        "5.2.2",
        "mailbox full; " + STORE + "QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
        HOLD,
        True,
        None,
        "user",
    ),
    ("content", 554, "5.2.0", STORE + "ObjectNotFoundException", HOLD, True, None, "admin"),
    ("content", 451, "4.3.111", "Temporary server error. MRH1", RETRY, False, None, "nobody"),
    ("content", 451, "4.3.2", "Temporary server error. ATTR17", RETRY, False, None, "nobody"),
    ("content", 451, "4.4.0", "Message failed to be replicated", RETRY, False, None, "nobody"),
    ("content", 451, "4.4.3", "Message failed to be replicated", RETRY, False, None, "nobody"),
    ("content", 451, "4.4.22", "Message failed to be replicated", RETRY, False, None, "nobody"),
    ("content", 452, "4.3.1", "Insufficient system resources", RETRY, False, None, "nobody"),
    ("content", 450, "4.7.3", "Organization queue quota", TENANT, False, 600, "nobody"),
    ("content", 451, "4.7.500", "Access denied, please try", MAILBOX, False, 600, "nobody"),
    ("content", 451, "4.7.699", "Server busy", MAILBOX, False, 600, "nobody"),
    ("content", 451, "4.7.850", "Access denied, please try", MAILBOX, False, 600, "nobody"),
    ("content", 451, "4.7.899", "Server busy", MAILBOX, False, 600, "nobody"),
    ("content", 550, "5.1.8", "Access denied, bad outbound", HOLD, True, None, "admin"),
    ("content", 550, "5.1.90", "daily limit for recipients", MAILBOX, False, 3600, "nobody"),
    ("content", 550, "5.7.232", "tenant exceeded (trial)", TENANT, False, 3600, "admin"),
    ("content", 550, "5.7.233", "tenant exceeded its daily", TENANT, False, 3600, "nobody"),
    ("content", 550, "5.7.236", "onmicrosoft.com limit", TENANT, False, 3600, "admin"),
    ("content", 554, "5.2.121", "recipient's hourly limit", RETRY, False, 3600, "nobody"),
    ("content", 554, "5.2.122", "recipient's hourly limit", RETRY, False, 3600, "nobody"),
    ("content", 550, "5.7.501", "spam abuse detected", HOLD, True, None, "admin"),
    ("content", 550, "5.7.502", "banned sender", HOLD, True, None, "admin"),
    ("content", 550, "5.7.503", "banned sender", HOLD, True, None, "admin"),
    ("content", 550, "5.7.511", "banned sender", HOLD, True, None, "admin"),
    ("content", 550, "5.7.504", "Recipient rejected", FAIL, False, None, "caller"),
    ("content", 550, "5.7.505", "Banned recipient", FAIL, False, None, "caller"),
    ("content", 550, "5.7.506", "Access Denied, Bad HELO", OUTAGE, False, None, "operator"),
    ("content", 550, "5.7.507", "Rejected by recipient", FAIL, False, None, "caller"),
    ("content", 550, "5.7.508", "IPv6 rate", FAIL, False, None, "caller"),
    ("content", 550, "5.7.509", "DMARC", FAIL, False, None, "caller"),
    ("content", 550, "5.7.510", "No IPv6", FAIL, False, None, "caller"),
    ("content", 550, "5.7.512", "RFC 5322 section 3.6.2", FAIL, False, None, "caller"),
    ("content", 550, "5.1.20", "Multiple From addresses", FAIL, False, None, "caller"),
    ("content", 550, "5.7.703", "Tenant Allow/Block List", FAIL, False, None, "admin"),
    ("content", 550, "5.7.705", "tenant exceeded threshold", HOLD, True, None, "admin"),
    ("content", 550, "5.7.708", "traffic not accepted", HOLD, True, None, "admin"),
    ("content", 550, "5.7.750", "unregistered domains", HOLD, True, None, "admin"),
    ("content", 550, "5.7.800", "banned sender", HOLD, True, None, "admin"),
    ("content", 550, "5.7.1", "Delivery not authorized", FAIL, False, None, "admin"),
    ("content", 550, "5.7.900", "transport rule", FAIL, False, None, "admin"),
    ("content", 550, "5.7.999", "transport rule", FAIL, False, None, "admin"),
    ("content", 550, "5.6.11", "Invalid characters", FAIL, False, None, "operator"),
    ("rcpt", 550, "5.6.7", "SMTPUTF8 address refused", FAIL, False, None, "caller"),
    ("rcpt", 550, "5.7.64", "TenantAttribution; Relay", OUTAGE, False, None, "operator"),
    ("rcpt", 550, "5.7.68", "Direct Send rejected", OUTAGE, False, None, "operator"),
]

STAGES = ["connect", "starttls", "auth", "mail", "rcpt", "data", "content"]
ENHANCED = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.builds(
        "{}.{}.{}".format,
        st.integers(2, 5),
        st.integers(0, 9),
        st.integers(min_value=0, max_value=1200),
    ),
)


@pytest.mark.parametrize("case", REPLIES, ids=lambda case: "-".join(map(str, case[:4])))
def test_every_reply_has_its_own_row_and_the_right_consequence(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    found = for_reply(*case[:4])

    seconds = found.pause.total_seconds() if found.pause else None
    assert (found.disposition, found.recheck, seconds, found.who) == case[4:]
    assert not found.code.startswith("unknown-")
    assert caplog.records == []


def test_every_row_of_the_file_is_met_by_some_reply() -> None:
    met = {for_reply(*case[:4]).code for case in REPLIES}
    rows = {row for row in source("smtp.toml") if not row.startswith("unknown-")}

    assert rows == met


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("disabled for the Tenant", "disabled for the Mailbox"),
        ("disabled for the Mailbox", "basic authentication is disabled"),
        ("security defaults policy", "did not meet the criteria"),
        ("user credentials were incorrect", "federated STS service"),
    ],
)
def test_wordings_under_one_number_are_told_apart_whatever_their_case(
    one: str, other: str
) -> None:
    def row(words: str) -> str:
        text = f"Authentication unsuccessful, SmtpClientAuthentication is {words}."
        assert for_reply("auth", 535, "5.7.139", text) == for_reply(
            "auth", 535, "5.7.139", text.upper()
        )
        return for_reply("auth", 535, "5.7.139", text).code

    assert row(one) != row(other)


@pytest.mark.parametrize(
    ("stage", "code", "disposition"),
    [
        ("connect", 499, RETRY),
        ("connect", 554, RETRY),
        ("starttls", 550, RETRY),
        ("auth", 459, RETRY),
        ("auth", 538, HOLD),
        ("mail", 451, RETRY),
        ("mail", 555, FAIL),
        ("rcpt", 450, RETRY),
        ("rcpt", 559, FAIL),
        ("data", 599, FAIL),
        ("content", 599, FAIL),
        ("content", 459, RETRY),
        ("content", 354, RETRY),
        ("mail", 235, RETRY),
    ],
)
def test_an_unknown_reply_is_taken_by_its_class_and_counted(
    stage: str, code: int, disposition: Disposition, caplog: pytest.LogCaptureFixture
) -> None:
    found = for_reply(stage, code, "4.9.9" if code < 500 else "5.9.9", "something new")

    assert found.disposition is disposition
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"event=unknown_reply stage={stage} code={code} enhanced=" in record.getMessage()
    assert "something new" not in record.getMessage()


def test_a_known_refusal_under_another_code_is_recognised_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Microsoft's tables name the enhanced codes; the code before them has been seen to vary."""
    found = for_reply("content", 554, "5.7.233", "tenant exceeded its daily limit")

    assert found.code == "tenant-recipient-limit"
    assert "event=unknown_reply" in caplog.text


def test_an_account_matter_told_late_does_not_fail_the_message() -> None:
    assert for_reply("mail", 535, "5.7.139", "anything").disposition is HOLD
    assert for_reply("content", 530, "5.7.57", "Client not authenticated").disposition is OUTAGE


@given(
    stage=st.sampled_from(STAGES), code=st.integers(200, 599), enhanced=ENHANCED, text=st.text()
)
def test_whatever_comes_a_row_is_found_and_no_promise_is_broken(
    stage: str, code: int, enhanced: str | None, text: str
) -> None:
    found = for_reply(stage, code, enhanced, text)

    assert found.code in every_code()
    if stage in ("connect", "starttls", "auth"):
        assert found.disposition is not FAIL  # no message has been spoken of yet
    if code < 500:
        assert found.disposition not in (FAIL, HOLD)  # a passing refusal calls for nobody


def test_the_order_of_rows_in_the_file_decides_nothing() -> None:
    """Two patterns that fit the same reply are told apart by how much they say."""
    seen: dict[tuple[object, ...], str] = {}
    for row, entry in source("smtp.toml").items():
        for one in entry.get("replies", ()):
            for stage in one.get("at", STAGES):
                numbers = (stage, one.get("code"), one.get("enhanced"), one.get("text", ""))
                assert seen.setdefault(numbers, row) == row


def test_what_holds_an_account_says_who_can_end_it() -> None:
    for code in source("smtp.toml"):
        row = for_code(code)
        if row.disposition in (HOLD, REFRESH):
            assert row.who in ("user", "admin", "caller", "operator"), code
        if row.disposition is OUTAGE:
            assert row.who == "operator", code
