"""The SMTP session of the Exchange stand-in: greeting, TLS, AUTH, order, pipelining."""

import re
import smtplib
import ssl
import time

import pytest

from local.standins import Stack
from tests.standins.talk import Talk, message, stuffed, xoauth2

ENVELOPE = ("MAIL FROM:<kari@firma.no>", "RCPT TO:<ola@x.no>", "DATA")
SUFFIX = re.compile(r" \[[A-Z0-9.]+ \d{4}-\d\d-\d\dT[\d:.]+Z [0-9A-F]{16}\]$")


def test_auth_is_offered_after_starttls_only(standins: Stack) -> None:
    with Talk(standins) as talk:
        assert re.match(r"220 \S+\.outlook\.office365\.com Microsoft ESMTP", talk.hear())
        before = talk.ask("EHLO client.example")
        assert "STARTTLS" in before
        assert "AUTH" not in before
    with Talk(standins).start_tls() as talk:
        after = talk.ask("EHLO client.example")
        assert "250-AUTH LOGIN XOAUTH2" in after
        assert "STARTTLS" not in after
        assert after.endswith("250 SMTPUTF8")


def test_smtplib_sends_by_xoauth2(standins: Stack) -> None:
    token = standins.entra.access_token("kari@firma.no")
    with smtplib.SMTP("127.0.0.1", standins.exchange.port, timeout=5) as client:
        client.starttls(context=ssl.create_default_context())
        client.ehlo()
        client.auth(
            "XOAUTH2",
            lambda _challenge=None: f"user=kari@firma.no\x01auth=Bearer {token}\x01\x01",
        )
        refused = client.sendmail("kari@firma.no", ["ola@x.no"], message())

    assert refused == {}
    [delivered] = standins.exchange.inbox("OLA@x.no")
    assert delivered.content == message()
    assert delivered.mailbox == "kari@firma.no"
    assert standins.exchange.breaches() == {}


def test_both_forms_of_auth_are_taken_with_tokens_of_real_length(standins: Stack) -> None:
    token = standins.entra.access_token("kari@firma.no")
    assert len(token) > 1500
    with Talk(standins).sign_in(token=token) as talk:
        assert talk.ask("AUTH XOAUTH2").startswith("503 5.5.2")
    with Talk(standins).start_tls() as talk:
        reply = talk.ask(f"AUTH XOAUTH2 {xoauth2('kari@firma.no', token)}")
        assert reply == "235 2.7.0 Authentication successful"


def test_a_token_is_good_for_its_user_its_scope_and_its_time(standins: Stack) -> None:
    entra = standins.entra
    good = entra.access_token("kari@firma.no")
    entra.access_token_life(-1)
    expired = entra.access_token("kari@firma.no")
    entra.access_token_life(60)
    wrong_scope = entra.access_token("kari@firma.no", "https://outlook.office.com/IMAP.Send")
    cases = [
        ("ola@firma.no", good),
        ("faktura@firma.no", good),
        ("kari@firma.no", expired),
        ("kari@firma.no", wrong_scope),
        ("kari@firma.no", good[:-4] + "AAAA"),
        ("kari@firma.no", "rubbish"),
    ]
    for user, token in cases:
        with Talk(standins).start_tls() as talk:
            reply = talk.authenticate(user, token)
            assert reply.startswith("535 5.7.3 Authentication unsuccessful")
            assert SUFFIX.search(reply)


def test_the_switches_of_tenant_and_mailbox_say_who_switched(standins: Stack) -> None:
    token = standins.entra.access_token("kari@firma.no")
    standins.exchange.disable_smtp_auth_for_tenant("firma.no")
    with Talk(standins).start_tls() as talk:
        assert "5.7.139" in (reply := talk.authenticate("kari@firma.no", token))
        assert "disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled" in reply
    standins.exchange.allow_smtp_auth("kari@firma.no")
    Talk(standins).sign_in().close()
    standins.exchange.allow_smtp_auth("kari@firma.no", allowed=False)
    with Talk(standins).start_tls() as talk:
        assert "for the Mailbox." in talk.authenticate("kari@firma.no", token)


def test_a_challenged_failure_wants_an_empty_line(standins: Stack) -> None:
    standins.exchange.challenge_failures()
    with Talk(standins).start_tls() as talk:
        assert talk.authenticate("kari@firma.no", "rubbish").startswith("334 ey")
        assert talk.ask("").startswith("535 5.7.3")
    assert standins.exchange.breaches() == {}


def test_passwords_are_refused(standins: Stack) -> None:
    with Talk(standins).start_tls() as talk:
        assert talk.ask("AUTH LOGIN") == "334 VXNlcm5hbWU6"
        assert talk.ask("a2FyaQ==") == "334 UGFzc3dvcmQ6"
        assert "basic authentication is disabled" in talk.ask("cGFzcw==")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL FROM:<kari@firma.no>", "530 5.7.57 Client not authenticated"),
        ("AUTH PLAIN AAAA", "504 5.7.4"),
        ("STARTTLS", "500 5.3.3"),
        ("BOGUS", "500 5.3.3"),
        ("EHLO", "501 5.5.4"),
        ("VRFY kari", "252 2.1.5"),
        ("NOOP", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("QUIT", "221 2.0.0"),
    ],
)
def test_before_auth_a_command_is_answered(standins: Stack, line: str, reply: str) -> None:
    with Talk(standins).start_tls() as talk:
        assert talk.ask(line).startswith(reply)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL FROM: <kari@firma.no>", "501 5.5.4"),
        ("MAIL FROM:kari@firma.no", "501 5.5.4"),
        ("MAIL FROM:<kari>", "501 5.1.7"),
        ("MAIL FROM:<kari@firma.no> SIZE=157286401", "552 5.3.4"),
        ("MAIL FROM:<kari@firma.no> FOO=1", "501 5.5.4"),
        ("MAIL FROM:<kåre@firma.no>", "550 5.6.7"),
        ("MAIL FROM:<kåre@firma.no> SMTPUTF8", "250 2.1.0"),
        ("MAIL FROM:<kari@firma.no> SIZE=100 BODY=8BITMIME RET=HDRS", "250 2.1.0"),
        ("RCPT TO:<ola@x.no>", "503 5.5.2 Need mail"),
        ("DATA", "503 5.5.2 Need mail"),
    ],
)
def test_the_envelope_is_judged_strictly(standins: Stack, line: str, reply: str) -> None:
    with Talk(standins).sign_in() as talk:
        assert talk.ask(line).startswith(reply)


def test_clear_text_and_early_talkers_get_nowhere(standins: Stack) -> None:
    with Talk(standins) as talk:
        talk.hear()
        talk.ask("EHLO client.example")
        assert talk.ask("MAIL FROM:<kari@firma.no>").startswith("451 5.7.3 STARTTLS is required")
        assert talk.ask("AUTH XOAUTH2").startswith("504 5.7.4")
    with Talk(standins) as talk:
        talk.hear()
        talk.say("EHLO client.example", "STARTTLS", "EHLO injected.example")
        assert talk.hear().startswith("503 5.5.1")
    assert "data behind a sync point" in standins.exchange.breaches()


def test_ten_errors_are_forgiven(standins: Stack) -> None:
    with Talk(standins).start_tls() as talk:
        for _ in range(10):
            assert talk.ask("BOGUS").startswith("500")
        assert talk.ask("BOGUS").startswith("421 4.7.0 Too many")
        assert talk.hear() == ""


def test_an_envelope_may_be_pipelined_and_chained_behind_a_body(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        talk.say(*ENVELOPE)
        assert [talk.hear()[:3] for _ in range(3)] == ["250", "250", "354"]
        for number in (1, 2):
            talk.say(stuffed(message(number)) + b".", *ENVELOPE)
            assert talk.hear().startswith(f"250 2.0.0 OK <{number}@firma.no> [Hostname=")
            assert [talk.hear()[:3] for _ in range(3)] == ["250", "250", "354"]
        talk.say(stuffed(message(3)) + b".")
        assert talk.hear().startswith("250 2.0.0 OK <3@firma.no>")
    assert [m.content for m in standins.exchange.delivered] == [message(n) for n in (1, 2, 3)]
    assert standins.exchange.breaches() == {}


def test_content_sent_before_the_354_is_a_breach(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        talk.say(*ENVELOPE, stuffed(message()) + b".")
        assert [talk.hear()[:3] for _ in range(3)] == ["250", "250", "503"]
        assert talk.hear() == ""
    assert standins.exchange.delivered == []


def test_a_breach_is_seen_although_the_reply_is_still_on_its_way(standins: Stack) -> None:
    standins.exchange.set_round_trip(0.1)
    with Talk(standins).sign_in() as talk:
        talk.say(*ENVELOPE)
        time.sleep(0.03)
        talk.say(stuffed(message()) + b".")
        assert [talk.hear()[:3] for _ in range(4)] == ["250", "250", "354", "503"]
    assert standins.exchange.breaches() == {"data before the reply to a sync point": 1}


def test_content_may_come_in_any_pieces(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        talk.say(*ENVELOPE)
        for _ in range(3):
            talk.hear()
        for octet in stuffed(message()) + b".\r\n":
            talk.send(bytes([octet]))
        assert talk.hear().startswith("250 2.0.0")
    assert standins.exchange.delivered[0].content == message()


def test_a_round_trip_costs_one_flight(standins: Stack) -> None:
    standins.exchange.set_round_trip(0.1)
    with Talk(standins).sign_in() as talk:
        began = time.monotonic()
        talk.say(*ENVELOPE)
        for _ in range(3):
            talk.hear()
        assert 0.09 < time.monotonic() - began < 0.29


@pytest.mark.parametrize("kind", ["stranger", "other-name"])
def test_a_wrong_certificate_can_be_shown(standins: Stack, kind: str) -> None:
    standins.exchange.present_certificate(kind)
    with Talk(standins) as talk, pytest.raises(ssl.SSLCertVerificationError):
        talk.start_tls()


@pytest.mark.parametrize(("idle", "total"), [(0.5, 60), (60, 1)])
def test_a_session_ends_by_itself(standins: Stack, idle: float, total: float) -> None:
    standins.exchange.limit_session(idle, total)
    with Talk(standins) as talk:
        talk.start_tls()
        assert talk.hear().startswith("421 4.4.1 Connection timed out. Total session duration: ")
        assert talk.hear() == ""


def test_an_extension_can_be_hidden(standins: Stack) -> None:
    standins.exchange.hide_extension("STARTTLS")
    with Talk(standins) as talk:
        talk.hear()
        assert "STARTTLS" not in talk.ask("EHLO client.example")
        assert talk.ask("STARTTLS").startswith("500 5.3.3")
