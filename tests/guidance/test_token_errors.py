"""Every error Entra is known to give, and what has to follow from it."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guidance import Disposition, every_code, for_token_error
from shared.guidance.catalogue import source

HOLD, RETRY = Disposition.HOLD, Disposition.RETRY
REFRESH, OUTAGE = Disposition.REFRESH, Disposition.OUTAGE

# error, numbers that come with it; disposition, recheck, who
NUMBERS = [
    ("invalid_grant", [65001], HOLD, True, "user"),
    ("invalid_grant", [70000], REFRESH, False, "user"),
    ("invalid_grant", [70008, 700082], HOLD, False, "user"),
    ("invalid_grant", [50173], HOLD, False, "user"),
    ("invalid_grant", [70043], HOLD, False, "user"),
    ("interaction_required", [70043], HOLD, False, "user"),
    ("invalid_grant", [700084], HOLD, False, "operator"),
    ("invalid_grant", [50089], HOLD, False, "user"),
    ("invalid_grant", [54005], HOLD, False, "user"),
    ("invalid_grant", [501481, 50147, 501491], OUTAGE, False, "operator"),
    ("invalid_request", [501481, 50147, 501491], OUTAGE, False, "operator"),
    ("invalid_grant", [700005], OUTAGE, False, "operator"),
    ("invalid_grant", [50076, 50079, 50072, 50074, 50078], HOLD, False, "user"),
    ("interaction_required", [50076, 50079, 50072, 50074, 50078], HOLD, False, "user"),
    ("interaction_required", [50158], HOLD, False, "user"),
    ("interaction_required", [53000, 53001, 53002], HOLD, True, "admin"),
    ("invalid_grant", [53000, 53001, 53002], HOLD, True, "admin"),
    ("invalid_grant", [53003], HOLD, True, "admin"),
    ("access_denied", [53003], HOLD, True, "admin"),
    ("invalid_grant", [53004, 53010, 53011], HOLD, True, "admin"),
    ("invalid_grant", [530032, 530035], HOLD, True, "admin"),
    ("access_denied", [50105], HOLD, True, "admin"),
    ("invalid_grant", [50105], HOLD, True, "admin"),
    ("access_denied", [90094, 90095], HOLD, False, "admin"),
    ("access_denied", [65004], HOLD, False, "user"),
    ("consent_required", [65004], HOLD, False, "user"),
    ("invalid_grant", [50020, 50034, 50014, 51004, 90072, 16000], HOLD, False, "user"),
    ("invalid_request", [50020], OUTAGE, False, "operator"),
    ("invalid_grant", [500208], HOLD, False, "user"),
    ("invalid_grant", [50057], HOLD, True, "admin"),
    ("invalid_grant", [50055, 50144], HOLD, False, "user"),
    ("invalid_grant", [50053], HOLD, True, "admin"),
    ("invalid_grant", [50132, 50133], HOLD, False, "user"),
    ("invalid_resource", [500011, 650052], HOLD, True, "admin"),
    ("invalid_resource", [65005, 650056, 650057], OUTAGE, False, "operator"),
    ("invalid_client", [65005, 650056, 650057], OUTAGE, False, "operator"),
    ("unauthorized_client", [700016, 700011], HOLD, True, "admin"),
    ("unauthorized_client", [7000112, 70001], HOLD, True, "admin"),
    ("invalid_client", [7000215, 7000222], OUTAGE, False, "operator"),
    ("invalid_client", [700027, 50012, 50013], OUTAGE, False, "operator"),
    ("invalid_client", [700213, 7002138, 700211, 70021, 700229], OUTAGE, False, "operator"),
    ("invalid_request", [700213, 7002138, 700211, 70021, 700229], OUTAGE, False, "operator"),
    ("invalid_client", [7000218, 700025], OUTAGE, False, "operator"),
    ("invalid_request", [50011, 900971], OUTAGE, False, "operator"),
    ("invalid_request", [50194], OUTAGE, False, "operator"),
    ("invalid_request", [90130, 90124, 9002332], OUTAGE, False, "operator"),
    ("invalid_request", [90002], OUTAGE, False, "operator"),
    ("access_denied", [90038, 900382, 900432], HOLD, False, "operator"),
    ("invalid_scope", [70011, 28002, 700022], OUTAGE, False, "operator"),
    ("invalid_grant", [70011, 28002, 700022], OUTAGE, False, "operator"),
    ("invalid_grant", [9002313], HOLD, False, "user"),
    ("invalid_request", [90014, 900144, 9001023, 90023], OUTAGE, False, "operator"),
    (
        "temporarily_unavailable",
        [90033, 90006, 90012, 90024, 90090, 50033, 50087, 50166],
        RETRY,
        False,
        "nobody",
    ),
    ("server_error", [90033, 90006, 90012, 90024, 90090], RETRY, False, "nobody"),
    ("invalid_grant", [50196], RETRY, False, "operator"),
    ("temporarily_unavailable", [90055], RETRY, False, "nobody"),
    ("server_error", [70012], RETRY, False, "nobody"),
    ("interaction_required", [50058], HOLD, False, "user"),
    ("login_required", [50058], HOLD, False, "user"),
]

# error, suberror; disposition, recheck, who
SUBERRORS = [
    ("invalid_grant", "basic_action", HOLD, False, "user"),
    ("interaction_required", "additional_action", HOLD, True, "user"),
    ("invalid_grant", "message_only", HOLD, True, "admin"),
    ("invalid_grant", "consent_required", HOLD, True, "user"),
    ("invalid_grant", "user_password_expired", HOLD, False, "user"),
    ("invalid_grant", "bad_token", HOLD, False, "user"),
    ("invalid_grant", "token_expired", HOLD, False, "user"),
    ("invalid_grant", "client_mismatch", HOLD, False, "user"),
    ("invalid_grant", "protection_policy_required", HOLD, True, "admin"),
    ("invalid_grant", "device_authentication_failed", HOLD, True, "admin"),
]

# error alone; disposition, who
ERRORS = [
    ("invalid_grant", HOLD, "user"),
    ("interaction_required", HOLD, "user"),
    ("login_required", HOLD, "user"),
    ("consent_required", HOLD, "user"),
    ("access_denied", HOLD, "admin"),
    ("unauthorized_client", HOLD, "admin"),
    ("invalid_resource", HOLD, "admin"),
    ("invalid_client", OUTAGE, "operator"),
    ("invalid_request", OUTAGE, "operator"),
    ("invalid_scope", OUTAGE, "operator"),
    ("unsupported_grant_type", OUTAGE, "operator"),
    ("unsupported_response_type", OUTAGE, "operator"),
    ("server_error", RETRY, "nobody"),
    ("temporarily_unavailable", RETRY, "nobody"),
    ("unreachable", RETRY, "nobody"),
]


@pytest.mark.parametrize(
    ("error", "number", "expected"),
    [(case[0], number, case[2:]) for case in NUMBERS for number in case[1]],
)
def test_every_number_has_the_right_consequence(
    error: str, number: int, expected: tuple[object, ...]
) -> None:
    found = for_token_error(error, codes=[number])

    assert (found.disposition, found.recheck, found.who) == expected


def test_every_number_has_words_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    fallbacks = {"unknown-token-error"}
    for error, numbers, *_ in NUMBERS:
        if error == "invalid_request" and numbers == [50020]:
            continue
        for number in numbers:
            assert for_token_error(error, codes=[number]).code not in fallbacks
    assert caplog.records == []


@pytest.mark.parametrize("case", SUBERRORS, ids=lambda case: case[1])
def test_every_suberror_has_the_right_consequence(
    case: tuple[str, str, Disposition, bool, str], caplog: pytest.LogCaptureFixture
) -> None:
    found = for_token_error(case[0], suberror=case[1])

    assert (found.disposition, found.recheck, found.who) == case[2:]
    assert caplog.records == []


@pytest.mark.parametrize(("error", "disposition", "who"), ERRORS)
def test_the_error_alone_decides_when_nothing_else_is_said(
    error: str, disposition: Disposition, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = for_token_error(error)

    assert (found.disposition, found.who) == (disposition, who)
    assert caplog.records == []


def test_an_unknown_number_falls_back_to_the_error_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = for_token_error("invalid_grant", codes=[1234567], suberror="brand_new")

    assert found == for_token_error("invalid_grant")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "event=unknown_reply stage=token code=invalid_grant enhanced=1234567" in caplog.text


def test_an_unknown_error_is_ours_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    found = for_token_error("weird\nerror forged=line")

    assert found.disposition is OUTAGE
    assert "event=unknown_reply" in caplog.text
    assert "\nerror" not in caplog.text


@pytest.mark.parametrize(
    ("http_status", "error"),
    [
        (429, "invalid_grant"),
        (500, "invalid_client"),
        (503, "interaction_required"),
        (0, "unreachable"),
    ],
)
def test_an_outage_of_microsoft_is_nobodys_fault_whatever_it_says(
    http_status: int, error: str
) -> None:
    found = for_token_error(error, codes=[50173], http_status=http_status)

    assert (found.disposition, found.who) == (RETRY, "nobody")


def test_going_back_at_microsoft_names_both_things_it_may_mean() -> None:
    """Entra says the same when the user declines and when an admin's approval was missing."""
    found = for_token_error("access_denied", subcode="cancel")

    assert found.code == "consent-cancelled"
    assert "{admin_consent_url}" in found.words["en"].action


def test_a_number_wins_over_the_subcode() -> None:
    assert for_token_error("access_denied", subcode="cancel", codes=[90094]).who == "admin"
    assert for_token_error("access_denied", subcode="cancel", codes=[65004]).who == "user"


def test_the_first_known_number_speaks() -> None:
    assert for_token_error("invalid_grant", codes=[1, 53003]).code == "conditional-access-blocked"


@given(number=st.sampled_from(sorted({one for case in NUMBERS for one in case[1]})))
def test_no_number_turns_our_fault_into_the_customers(number: int) -> None:
    assert for_token_error("invalid_client", codes=[number]).disposition is OUTAGE
    assert for_token_error("server_error", codes=[number]).disposition is RETRY
    assert for_token_error("temporarily_unavailable", codes=[number]).disposition is RETRY


@given(
    error=st.text(),
    suberror=st.none() | st.text(),
    codes=st.lists(st.integers(), max_size=3),
    http_status=st.integers(0, 599),
    subcode=st.none() | st.text(),
)
def test_whatever_comes_a_row_is_found(
    error: str, suberror: str | None, codes: list[int], http_status: int, subcode: str | None
) -> None:
    found = for_token_error(
        error, suberror=suberror, codes=codes, http_status=http_status, subcode=subcode
    )

    assert found.code in every_code()
    assert found.disposition is not Disposition.FAIL


def test_every_row_of_the_file_can_be_met() -> None:
    met = {for_token_error(case[0], codes=[one]).code for case in NUMBERS for one in case[1]}
    met |= {for_token_error(case[0], suberror=case[1]).code for case in SUBERRORS}
    met |= {for_token_error(case[0]).code for case in ERRORS}
    met |= {for_token_error("access_denied", subcode="cancel").code, for_token_error("?").code}
    met |= {for_token_error("?", http_status=429).code}

    assert met == set(source("entra.toml"))
