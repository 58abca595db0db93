"""The language a person gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language import preferred_language


@pytest.mark.parametrize(
    ("accept_language", "expected"),
    [
        (None, "nb"),
        ("", "nb"),
        ("nb", "nb"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("nb-NO,nb;q=0.9,en;q=0.8", "nb"),
        ("en", "en"),
        ("EN-us", "en"),
        ("en-GB,en;q=0.9,nb;q=0.8", "en"),
        ("nb;q=0.3, en;q=0.7", "en"),
        ("nb;q=0.7, en;q=0.7", "nb"),
        ("en;q=0.7, nb;q=0.7", "en"),
        ("sv, en;q=0.5", "en"),
        ("sv, da", "nb"),
        ("*", "nb"),
        ("en;q=0", "nb"),
        ("en;q=high", "nb"),
        ("en;q=nan, nb;q=0.1", "nb"),
        ("en;q=7", "nb"),
        ("en ; q = 0.5", "en"),
        (",;,", "nb"),
    ],
)
def test_the_best_known_language_is_chosen_and_norwegian_otherwise(
    accept_language: str | None, expected: str
) -> None:
    assert preferred_language(accept_language) == expected


@given(st.text())
def test_no_field_value_is_too_odd(accept_language: str) -> None:
    assert preferred_language(accept_language) in ("nb", "en")
