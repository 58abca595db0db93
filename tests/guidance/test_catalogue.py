"""The catalogue as a whole: complete, in both languages, and safe to show."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Fault
from shared.guidance import (
    Disposition,
    commands_for,
    every_code,
    for_code,
    link_for,
    problem_document,
    words_for,
)
from shared.guidance.catalogue import source
from shared.guidance.wording import NEUTRAL

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("smtp.toml", "entra.toml", "problems.toml")
MEMBERS = {
    "smtp.toml": {"replies"},
    "entra.toml": {"answers_for", "suberrors", "subcodes", "aadsts"},
    "problems.toml": set[str](),
}
COMMON = {"disposition", "recheck", "pause", "who", "status", "commands", "link", "nb", "en"}

OWN_CODES = """
    unauthenticated 401 · invalid-token 401 · insufficient-scope 403 · callers-unavailable 503 ·
    not-found 404 · account-not-found 404 · message-not-found 404 · method-not-allowed 405 ·
    malformed-json 400 · unsupported-media-type 415 · body-too-large 413 · message-too-large 413 ·
    invalid-account 422 · invalid-message 422 · invalid-query 422 · idempotency-key-reused 409 ·
    idempotency-key-in-flight 409 · invalid-idempotency-key 422 · account-not-connected 409 ·
    not-cancellable 409 · not-retryable 409 · not-uncertain 409 · content-gone 409 ·
    storage-unavailable 503 · vault-unavailable 503 · internal-error 500 · too-many-requests 429 ·
    message-expired 409 · message-uncertain 409 · credential-failing 503
"""

CODES = every_code()
LANGUAGES = ("nb", "en")


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{([a-z_]+)\}", text))


def templates(code: str) -> list[str]:
    row = for_code(code)
    return [
        *(
            text
            for words in row.words.values()
            for text in (words.title, words.detail, words.action)
        ),
        *row.commands,
        row.link or "",
    ]


@pytest.mark.parametrize("written", OWN_CODES.split("·"))
def test_the_codes_of_the_interface_have_their_status(written: str) -> None:
    code, status = written.split()

    assert (for_code(code).code, for_code(code).status) == (code, int(status))


def test_codes_are_unique_over_all_files_and_kebab_case() -> None:
    counted = Counter(code for name in SOURCES for code in source(name))

    assert [code for code, times in counted.items() if times > 1] == []
    assert [code for code in counted if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []
    assert set(counted) == set(CODES)


@pytest.mark.parametrize("name", SOURCES)
def test_no_row_has_a_member_nobody_reads(name: str) -> None:
    for code, row in source(name).items():
        assert set(row) <= COMMON | MEMBERS[name], code
        for one in row.get("replies", ()):
            assert set(one) <= {"at", "code", "enhanced", "text"}, code


@pytest.mark.parametrize("code", CODES)
def test_a_row_is_complete_in_both_languages(code: str) -> None:
    row = for_code(code)

    assert set(row.words) == set(LANGUAGES)
    assert row.who in ("caller", "user", "admin", "operator", "nobody")
    assert 200 <= row.status < 600
    for words in row.words.values():
        assert 5 < len(words.title) <= 80
        assert not words.title.endswith(".")
        assert len(words.detail) > 20
        assert words.detail[-1] in ".}"
        assert len(words.action) > 10
    assert row.words["nb"] != row.words["en"]


@pytest.mark.parametrize("code", CODES)
def test_both_languages_speak_of_the_same_things(code: str) -> None:
    """The same values, commands and links; a translation that drops the command helps nobody."""
    words = for_code(code).words
    needed = {"command", "link", "admin_consent_url", "reply", "signed_in_as", "address"}
    nb, en = (
        placeholders(f"{one.title} {one.detail} {one.action}") & needed
        for one in (words["nb"], words["en"])
    )

    assert nb == en


@pytest.mark.parametrize("code", CODES)
def test_placeholders_are_documented_and_their_command_or_link_exists(code: str) -> None:
    row = for_code(code)
    used = {name for text in templates(code) for name in placeholders(text)}

    assert used <= set(NEUTRAL)
    assert not any("{" in re.sub(r"\{[a-z_]+\}|\{\"as\"[^}]*\}", "", t) for t in templates(code))
    words = " ".join(word for text in row.words.values() for word in (text.detail, text.action))
    assert ("command" not in placeholders(words)) or row.commands
    assert ("link" not in placeholders(words)) or row.link
    assert row.link is None or re.fullmatch(r"https://\S+|\{[a-z_]+\}", row.link)


def test_the_words_are_pure_in_their_language() -> None:
    english, norwegian = r"\b(the|and|your|again)\b", r"\b(og|ikke|det|ikkje|eg)\b"
    quoted = re.compile(r"Users and groups|«[^»]*»|\([^)]*\)|[A-Z][\w ]+(?: > [^>.,:]+)+")
    for code in CODES:
        words = for_code(code).words
        nb, en = (
            quoted.sub("", f"{w.title} {w.detail} {w.action}") for w in (words["nb"], words["en"])
        )
        assert not re.search(english, nb), code
        assert not re.search(norwegian, en), code


def test_what_a_caller_reads_names_something_concrete_to_do() -> None:
    """A field, a status, a setting, a number or an address: never just "try something else"."""
    concrete = re.compile(
        r'[A-Z]{3,}|"[a-z]+"|[A-Z][a-z]+-[A-Z][a-z]+|\d|mail\.|/api/|\{(address|reply|command)\}'
        r"|attachment|address|recipient|message|second"
    )
    for code in CODES:
        row = for_code(code)
        if row.who == "caller":
            assert concrete.search(row.words["en"].action), code


def test_what_an_admin_reads_has_a_command_or_a_link() -> None:
    without = [
        code
        for code in CODES
        if for_code(code).who == "admin" and not (for_code(code).commands or for_code(code).link)
    ]

    # The organisation's own sign-in service, and links of ours that have to be asked for again.
    assert without == ["admin-link-expired", "admin-link-invalid", "sign-in-federation-failed"]


@pytest.mark.parametrize("disposition", [Disposition.PACE_MAILBOX, Disposition.PACE_TENANT])
def test_what_slows_down_says_for_how_long(disposition: Disposition) -> None:
    ours = {"mailbox-paced", "tenant-paused"}
    rows = [for_code(code) for code in CODES if code not in ours]

    assert all(row.pause for row in rows if row.disposition is disposition)


def test_waiting_mail_is_said_to_wait() -> None:
    """Who reads that sending is blocked wants to know first that nothing is lost."""
    for code in source("smtp.toml"):
        row = for_code(code)
        if row.disposition in (Disposition.HOLD, Disposition.REFRESH):
            assert re.search("[Ee]-post.* venter", row.words["nb"].detail), code
            assert "waits" in row.words["en"].detail, code


def test_the_commands_are_exact() -> None:
    values = {"username": "kari@firma.no", "address": "faktura@firma.no", "client_id": "c"}

    assert commands_for(for_code("smtp-auth-disabled-tenant"), values=values)[0] == (
        "Set-CASMailbox -Identity kari@firma.no -SmtpClientAuthenticationDisabled $false"
    )
    assert commands_for(for_code("send-as-denied"), values=values)[0].startswith(
        "Add-RecipientPermission faktura@firma.no -AccessRights SendAs -Trustee kari@firma.no"
    )
    words = words_for(for_code("smtp-auth-disabled-tenant"), language="nb", values=values)
    assert (
        "Set-CASMailbox -Identity kari@firma.no -SmtpClientAuthenticationDisabled $false"
        in words.action
    )


@pytest.mark.parametrize(
    ("address", "argument"),
    [
        ("kari.o-b+x_1@firma.no", "kari.o-b+x_1@firma.no"),
        ("o'brien@firma.no", "'o''brien@firma.no'"),
        ("o\u2019brien@firma.no", "'o\u2019\u2019brien@firma.no'"),
        ("a;Remove-Mailbox b@firma.no", "'a;Remove-Mailbox b@firma.no'"),
        ("$(whoami)@firma.no", "'$(whoami)@firma.no'"),
        ("-Confirm@firma.no", "'-Confirm@firma.no'"),
        ("@splat", "'@splat'"),
        ("kåre@firma.no", "'kåre@firma.no'"),
        ("a\r\nRemove-Mailbox b", "'a Remove-Mailbox b'"),
        ("a\u202eb@firma.no", "'a b@firma.no'"),
        ("", "<username>"),
    ],
)
def test_no_address_can_smuggle_a_command_into_an_admins_shell(
    address: str, argument: str
) -> None:
    values = {"username": address}
    expected = f"Set-CASMailbox -Identity {argument} -SmtpClientAuthenticationDisabled $false"
    row = for_code("smtp-auth-disabled-mailbox")

    assert commands_for(row, values=values)[0] == expected
    assert expected in words_for(row, language="en", values=values).action


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    values = {"username": "{signed_in_as}", "signed_in_as": "ola@x.no"}

    words = words_for(for_code("wrong-account"), language="en", values=values)

    assert "is for {signed_in_as}, but at Microsoft you signed in as ola@x.no" in words.detail


def test_a_link_without_its_value_is_no_link() -> None:
    row = for_code("app-not-in-tenant")

    assert link_for(row, values={}) is None
    assert link_for(row, values={"admin_consent_url": "https://login/x"}) == "https://login/x"
    assert link_for(for_code("not-found"), values={}) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_a_problem_without_values_still_reads_as_a_sentence(code: str, language: str) -> None:
    document = problem_document(code, language=language, public_url="https://mail.example")

    assert document["type"] == f"https://mail.example/api/problems/{code}"
    text = " ".join(str(document[name]) for name in ("title", "detail", "action"))
    assert placeholders(text) == set()
    assert "  " not in text
    assert not re.search(r" [,.:;](\s|$)", text)


def test_a_problem_has_the_members_of_the_standard_and_ours() -> None:
    document = problem_document(
        "invalid-message",
        language="en",
        public_url="https://mail.example",
        faults=[Fault("/to/0", "is no address"), Fault("/subject", "is too long")],
        instance="urn:uuid:1",
    )

    assert list(document) == [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "who",
        "action",
        "errors",
    ]
    assert document["errors"] == [
        {"pointer": "/to/0", "detail": "is no address"},
        {"pointer": "/subject", "detail": "is too long"},
    ]


def test_an_unknown_code_is_a_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    document = problem_document("no-such-code", language="nb", public_url="https://x")

    assert (document["code"], document["status"]) == ("internal-error", 500)
    assert "event=unknown_code code=no-such-code" in caplog.text


@given(
    code=st.sampled_from(CODES),
    language=st.text(max_size=3) | st.sampled_from(LANGUAGES),
    values=st.dictionaries(st.sampled_from(sorted(NEUTRAL)) | st.text(max_size=9), st.text()),
)
def test_no_value_breaks_a_problem_or_a_line(
    code: str, language: str, values: dict[str, str]
) -> None:
    document = problem_document(code, language=language, public_url="https://x", values=values)
    row = for_code(code)

    for text in (document["title"], document["detail"], document["action"]):
        assert isinstance(text, str)
        assert text.isprintable()
    assert all(line.isprintable() for line in commands_for(row, values=values))


def test_every_code_given_to_a_person_or_a_message_has_a_row() -> None:
    raised = {
        (path.relative_to(ROOT).as_posix(), node.args[0].value)
        for room in ("shared", "functions")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("ServiceError", "Trouble", "Obstacle", "for_code", "refuse")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }

    assert [(path, code) for path, code in sorted(raised) if code not in CODES] == []


def test_loading_the_catalogue_is_cheap_and_happens_at_first_use() -> None:
    """A cold start pays for it only when there is something to explain."""
    program = (
        "import time, shared.guidance as g, shared.guidance.catalogue as c\n"
        "assert c.source.cache_info().currsize == 0\n"
        "begin = time.process_time()\n"
        "g.for_reply('auth', 535, '5.7.3', '')\n"
        "print(time.process_time() - begin)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert float(shown.stdout) < 0.06
