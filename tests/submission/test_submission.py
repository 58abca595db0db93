"""Submission over the wire: what is said in which order, and what every reply and break means."""

import ssl
import time
from collections.abc import Callable
from functools import partial

import pytest
import trustme

from shared.microsoft.smtp import Envelope, Reply
from shared.microsoft.submission import Phase, Reason, Server, Session, SubmissionError, Timeouts
from shared.secrecy import Secret
from tests.submission.conftest import TOKEN, envelope, token
from tests.submission.scripted_server import DROP, SILENCE, Script, ScriptedServer

Listen = Callable[..., ScriptedServer]
Connect = Callable[[ScriptedServer], Session]

CONTENT = b"Subject: x\r\n\r\n.leading dot\r\n"
LARGE = (b"x" * 76 + b"\r\n") * 400_000
PLAIN_OFFERS = ("SIZE 157286400", "ENHANCEDSTATUSCODES", "AUTH LOGIN XOAUTH2")


def failure(step: Callable[[], object]) -> SubmissionError:
    with pytest.raises(SubmissionError) as error:
        step()
    text = repr(error.value) + repr(error.value.__cause__) + repr(error.value.__context__)
    assert TOKEN.reveal() not in text
    return error.value


# --- how a session begins


def test_a_message_goes_over_verified_tls_in_the_order_of_the_standards(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()

    session = connect(scripted)
    accepted = session.submit(envelope(), CONTENT)
    session.close()
    scripted.wait_until_idle()

    verbs = [command.split(" ")[0] for command in scripted.commands]
    assert verbs[:5] == ["EHLO", "STARTTLS", "EHLO", "AUTH", scripted.commands[4]]
    assert verbs[5:] == ["MAIL", "RCPT", "DATA", "QUIT"]
    assert scripted.commands[0] == "EHLO [127.0.0.1]"
    assert scripted.commands[3] == "AUTH XOAUTH2"
    assert scripted.contents == [CONTENT]
    assert accepted.reply == Reply(250, "2.0.0", "OK <id@exchange.test> [Hostname=EXCHANGE.TEST]")
    assert accepted.refused == ()


def test_an_own_name_is_said_in_ehlo(listen: Listen, client_tls: ssl.SSLContext) -> None:
    scripted = listen()
    server = Server("localhost", scripted.port, client_tls, own_name="app.firma.test")

    server.open("kari@firma.test", token).close()

    assert scripted.commands[0] == "EHLO app.firma.test"


def test_a_wrong_own_name_or_an_unverified_context_is_refused_at_once(
    client_tls: ssl.SSLContext,
) -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE

    with pytest.raises(ValueError, match="not a domain"):
        Server("localhost", 1, client_tls, own_name="x\r\nMAIL")
    with pytest.raises(ValueError, match="does not verify"):
        Server("localhost", 1, careless)


def test_without_starttls_nothing_is_said_in_the_clear(listen: Listen, connect: Connect) -> None:
    scripted = listen(offers_plain=("SIZE 1", "AUTH XOAUTH2"))

    error = failure(lambda: connect(scripted))

    assert (error.phase, error.reason) == (Phase.STARTTLS, Reason.NO_STARTTLS)
    assert not error.outcome_unknown
    scripted.wait_until_idle()
    assert scripted.commands == ["EHLO [127.0.0.1]"]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_that_does_not_hold_ends_it(
    listen: Listen, client_tls: ssl.SSLContext, *, trusted: bool
) -> None:
    scripted = listen()
    tls = client_tls if trusted else ssl.create_default_context()
    host = "127.0.0.1" if trusted else "localhost"  # the certificate is for localhost
    server = Server(host, scripted.port, tls, timeouts=Timeouts())

    error = failure(lambda: server.open("kari@firma.test", token))

    assert (error.phase, error.reason) == (Phase.STARTTLS, Reason.CERTIFICATE)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


def test_replies_injected_before_the_handshake_are_not_used(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(before_handshake=b"250-x\r\n250 AUTH XOAUTH2\r\n235 come in\r\n")

    error = failure(lambda: connect(scripted))

    assert error.phase is Phase.STARTTLS
    assert error.reason in {Reason.PROTOCOL, Reason.TLS}


def test_the_offers_made_before_tls_do_not_count_after_it(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(offers_plain=("STARTTLS", "AUTH XOAUTH2"), offers_tls=("SIZE 1",))

    error = failure(lambda: connect(scripted))

    assert (error.phase, error.reason) == (Phase.AUTH, Reason.NO_XOAUTH2)


def test_a_refused_token_is_told_with_exchanges_words(listen: Listen, connect: Connect) -> None:
    scripted = listen(answers={"RESPONSE": ["535 5.7.3 Authentication unsuccessful [X]"]})

    error = failure(lambda: connect(scripted))

    assert error.phase is Phase.AUTH
    assert error.reply == Reply(535, "5.7.3", "Authentication unsuccessful [X]")
    assert not error.session_usable


def test_an_error_challenge_is_answered_with_an_empty_line(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(answers={"RESPONSE": ["334 eyJzdGF0dXMiOiI0MDAifQ=="]})

    error = failure(lambda: connect(scripted))

    assert scripted.commands[-1] == ""
    assert error.reply is not None
    assert (error.phase, error.reply.code) == (Phase.AUTH, 535)


def test_a_token_that_is_none_is_named_and_never_said(
    listen: Listen, client_tls: ssl.SSLContext
) -> None:
    scripted = listen()
    server = Server("localhost", scripted.port, client_tls)

    for text in ("", "x" * 10_000, "a b"):
        error = failure(partial(server.open, "kari@firma.test", partial(Secret, text)))
        assert (error.phase, error.reason) == (Phase.AUTH, Reason.TOKEN)
    assert not any(command.startswith("AUTH") for command in scripted.commands)


def test_the_token_is_asked_for_when_the_server_is_ready_for_it(
    listen: Listen, client_tls: ssl.SSLContext
) -> None:
    scripted = listen()
    server = Server("localhost", scripted.port, client_tls)
    said: list[str] = []

    def asked() -> Secret:
        said.extend(scripted.commands)
        return TOKEN

    server.open("kari@firma.test", asked).close()

    assert [command.partition(" ")[0] for command in said] == ["EHLO", "STARTTLS", "EHLO"]


def test_a_token_that_cannot_be_had_ends_the_connection(
    listen: Listen, client_tls: ssl.SSLContext
) -> None:
    scripted = listen()
    server = Server("localhost", scripted.port, client_tls)

    def asked() -> Secret:
        raise LookupError("no token")

    with pytest.raises(LookupError):
        server.open("kari@firma.test", asked)

    assert not any(command.startswith("AUTH") for command in scripted.commands)


def test_nobody_listening_is_unreachable(client_tls: ssl.SSLContext, listen: Listen) -> None:
    with ScriptedServer(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as gone:
        port = gone.port
    server = Server("localhost", port, client_tls)

    error = failure(lambda: server.open("kari@firma.test", token))

    assert (error.phase, error.reason) == (Phase.CONNECT, Reason.UNREACHABLE)


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("GREETING", Phase.CONNECT),
        ("STARTTLS", Phase.STARTTLS),
        ("AUTH", Phase.AUTH),
        ("RESPONSE", Phase.AUTH),
    ],
)
@pytest.mark.parametrize("answer", [DROP, SILENCE, "421 4.3.2 Service not active", "hello", "999"])
def test_every_break_before_the_session_names_its_phase(
    listen: Listen, connect: Connect, step: str, phase: Phase, answer: str
) -> None:
    error = failure(lambda: connect(listen(answers={step: [answer]})))

    assert error.phase is phase
    assert not error.outcome_unknown
    assert not error.session_usable
    assert (error.reply is not None) == answer.startswith("421")


def test_tls_is_resumed_and_each_ticket_used_once(
    listen: Listen, client_tls: ssl.SSLContext
) -> None:
    scripted = listen()
    server = Server("localhost", scripted.port, client_tls, timeouts=Timeouts())

    for _ in range(3):
        session = server.open("kari@firma.test", token)
        session.submit(envelope(), CONTENT)
        session.close()

    assert scripted.resumed == [False, True, True]


# --- one message


def test_a_warm_message_takes_two_writes_and_the_content_waits_for_354(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(pause_before_354=0.05)
    session = connect(scripted)
    scripted.groups.clear()

    session.submit(envelope("a@x.test", "b@x.test"), CONTENT)

    mail, rcpts = "MAIL FROM:<kari@firma.test> SIZE=30", "RCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>"
    opening = f"{mail}\r\n{rcpts}\r\nDATA\r\n"
    assert scripted.groups == [opening, "Subject: x\r\n\r\n..leading dot\r\n.\r\n"]
    assert not scripted.early_content


def test_without_pipelining_each_command_waits_for_its_reply(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(offers_tls=PLAIN_OFFERS)
    session = connect(scripted)
    scripted.groups.clear()

    session.submit(envelope(), CONTENT, then=envelope())
    session.submit(envelope(), CONTENT)

    assert len(scripted.groups) == 8
    assert scripted.contents == [CONTENT, CONTENT]


def test_a_megabyte_arrives_as_it_was(listen: Listen, connect: Connect) -> None:
    scripted = listen()
    content = b"Subject: x\r\n\r\n" + (b"." * 70 + b"\r\n" + b"x" * 76 + b"\r\n") * 7_000

    connect(scripted).submit(envelope(), content)

    assert scripted.contents == [content]


def test_nothing_is_added_to_the_commands_that_the_message_does_not_need(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()
    session = connect(scripted)

    session.submit(envelope(), CONTENT)
    session.submit(envelope(), "Subject: x\r\n\r\næøå\r\n".encode())
    session.submit(Envelope("kåre@firma.test", ("ola@x.test",), 5, smtputf8=True), CONTENT)

    mails = [command for command in scripted.commands if command.startswith("MAIL")]
    assert mails == [
        "MAIL FROM:<kari@firma.test> SIZE=30",
        "MAIL FROM:<kari@firma.test> SIZE=30 BODY=8BITMIME",
        "MAIL FROM:<kåre@firma.test> SIZE=5 BODY=8BITMIME SMTPUTF8",
    ]


@pytest.mark.parametrize(
    ("message", "content", "phase", "enhanced"),
    [
        (Envelope("kåre@x.test", ("a@x.test",), 1, smtputf8=True), CONTENT, Phase.MAIL, "5.6.7"),
        (Envelope("kåre@x.test", ("a@x.test",), 1), CONTENT, Phase.MAIL, "5.1.7"),
        (Envelope("a@x.test", ("b@x.test\r\nDATA",), 1), CONTENT, Phase.RCPT, "5.1.3"),
        (Envelope("a@x.test", (), 1), CONTENT, Phase.RCPT, "5.5.4"),
        (Envelope("a@x.test", ("b@x.test",), 1), b"\xc3\xa6\r\n", Phase.MAIL, "5.6.3"),
        (Envelope("a@x.test", ("b@x.test",), 1), b"a\n.\nMAIL\r\n", Phase.DATA, "5.6.11"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_said(
    listen: Listen,
    connect: Connect,
    message: Envelope,
    content: bytes,
    phase: Phase,
    enhanced: str,
) -> None:
    scripted = listen(offers_tls=("PIPELINING", "AUTH XOAUTH2"))
    session = connect(scripted)

    error = failure(lambda: session.submit(message, content))

    assert (error.phase, error.reason) == (phase, Reason.UNSENDABLE)
    assert error.reply is not None
    assert error.reply.enhanced == enhanced
    assert error.session_usable
    session.submit(envelope(), CONTENT)
    assert scripted.contents == [CONTENT]
    assert "RSET" not in scripted.commands


# --- refusals


@pytest.mark.parametrize("offers", [("PIPELINING", *PLAIN_OFFERS), PLAIN_OFFERS])
def test_the_others_get_the_message_when_one_recipient_is_refused(
    listen: Listen, connect: Connect, offers: tuple[str, ...]
) -> None:
    scripted = listen(
        offers_tls=offers, answers={"RCPT": ["250 2.1.5 ok", "550 5.1.10 not found"]}
    )

    accepted = connect(scripted).submit(envelope("a@x.test", "b@x.test", "c@x.test"), CONTENT)

    assert [(each.address, each.reply.enhanced) for each in accepted.refused] == [
        ("b@x.test", "5.1.10")
    ]
    assert scripted.contents == [CONTENT]


@pytest.mark.parametrize("offers", [("PIPELINING", *PLAIN_OFFERS), PLAIN_OFFERS])
@pytest.mark.parametrize(
    ("answers", "phase"),
    [
        ({"MAIL": ["452 4.3.1 x"], "RCPT": ["503 x"], "DATA": ["503 x"]}, Phase.MAIL),
        ({"RCPT": ["550 5.1.1 x"], "DATA": ["554 5.5.1 no recipients"]}, Phase.RCPT),
        ({"DATA": ["451 4.3.2 x"]}, Phase.DATA),
        ({"CONTENT": ["554 5.2.252 SendAsDenied; x"]}, Phase.CONTENT),
        ({"CONTENT": ["432 4.3.2 Concurrent connections limit exceeded."]}, Phase.CONTENT),
    ],
)
def test_a_refusal_is_told_with_its_phase_and_does_not_cost_the_session(
    listen: Listen,
    connect: Connect,
    offers: tuple[str, ...],
    answers: dict[str, list[str]],
    phase: Phase,
) -> None:
    if "PIPELINING" not in offers:  # then nothing is said after the refusal
        answers = {step: given for step, given in answers.items() if "503" not in given[0]}
        answers.pop("DATA" if phase is Phase.RCPT else "", None)
    scripted = listen(offers_tls=offers, answers=answers)
    session = connect(scripted)

    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert error.phase is phase
    assert error.reply is not None
    assert error.reply.code >= 400
    assert error.session_usable
    assert not error.outcome_unknown
    assert session.is_alive()
    session.submit(envelope(), CONTENT)
    assert scripted.contents[-1] == CONTENT


def test_a_354_for_nobody_is_ended_and_delivers_nothing(listen: Listen, connect: Connect) -> None:
    scripted = listen(answers={"RCPT": ["550 5.1.1 x"], "CONTENT": ["554 5.5.1 no recipients"]})
    session = connect(scripted)

    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert (error.phase, error.session_usable) == (Phase.RCPT, True)
    assert [each.address for each in error.refused] == ["ola@kunde.test"]
    session.submit(envelope(), CONTENT)
    assert scripted.contents == [b"", CONTENT]


def test_a_354_after_a_refused_sender_costs_the_session_and_nothing_else(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(answers={"MAIL": ["550 5.7.60 x"]})

    error = failure(lambda: connect(scripted).submit(envelope(), CONTENT))

    assert (error.phase, error.session_usable) == (Phase.MAIL, False)
    scripted.wait_until_idle()
    assert scripted.contents == []


def test_a_temporary_refusal_speaks_for_all_recipients(listen: Listen, connect: Connect) -> None:
    answers = {"RCPT": ["550 5.1.1 x", "450 4.7.3 x"], "DATA": ["554 5.5.1 x"]}

    error = failure(
        lambda: connect(listen(answers=answers)).submit(envelope("a@x.test", "b@x.test"), CONTENT)
    )

    assert error.reply == Reply(450, "4.7.3", "x")
    assert len(error.refused) == 2


def test_a_thousand_recipients_are_announced_in_groups(listen: Listen, connect: Connect) -> None:
    scripted = listen()
    many = tuple(f"r{number}@kunde.test" for number in range(1_000))

    connect(scripted).submit(envelope(*many), CONTENT)

    assert sum(command.startswith("RCPT") for command in scripted.commands) == 1_000
    assert scripted.contents == [CONTENT]


# --- when it breaks


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("MAIL", Phase.MAIL),
        ("RCPT", Phase.RCPT),
        ("DATA", Phase.DATA),
        ("CONTENT", Phase.CONTENT),
    ],
)
@pytest.mark.parametrize("answer", [DROP, SILENCE, "nonsense"])
def test_only_a_break_after_the_content_leaves_the_outcome_unknown(
    listen: Listen, connect: Connect, step: str, phase: Phase, answer: str
) -> None:
    scripted = listen(answers={step: [answer]})
    session = connect(scripted)

    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert error.phase is phase
    assert error.reply is None
    assert error.outcome_unknown == (phase is Phase.CONTENT)
    assert not error.session_usable
    assert not session.is_alive()
    assert failure(lambda: session.submit(envelope(), CONTENT)).reason is Reason.CLOSED
    scripted.wait_until_idle()
    assert len(scripted.contents) == (1 if phase is Phase.CONTENT else 0)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENT"])
def test_421_anywhere_is_a_known_refusal_and_ends_the_session(
    listen: Listen, connect: Connect, step: str
) -> None:
    scripted = listen(answers={step: ["421 4.3.2 Service not active"]})

    error = failure(lambda: connect(scripted).submit(envelope(), CONTENT))

    assert error.phase.value == step.lower()
    assert error.reply == Reply(421, "4.3.2", "Service not active")
    assert not error.outcome_unknown
    assert not error.session_usable


def test_a_break_within_large_content_is_harmless(listen: Listen, connect: Connect) -> None:
    scripted = listen(hang_up_after=100_000)

    error = failure(lambda: connect(scripted).submit(envelope(), LARGE))

    assert error.phase is Phase.DATA
    assert not error.outcome_unknown
    assert scripted.contents == []


def test_a_reply_said_before_the_content_is_never_taken_for_its_acceptance(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(speak_before_content="250 2.0.0 OK too early")
    session = connect(scripted)
    session.begin(envelope())
    time.sleep(0.05)

    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert (error.phase, error.reason) == (Phase.DATA, Reason.PROTOCOL)
    scripted.wait_until_idle()
    assert scripted.contents == []


def test_a_reply_to_the_content_that_fits_nothing_leaves_the_outcome_unknown(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(answers={"CONTENT": ["354 go on"]})

    error = failure(lambda: connect(scripted).submit(envelope(), CONTENT))

    assert (error.reason, error.outcome_unknown) == (Reason.PROTOCOL, True)


# --- begin, and then


def test_after_begin_the_server_waits_and_nothing_has_been_sent(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()
    session = connect(scripted)

    session.begin(envelope())
    session.begin(envelope())

    assert scripted.commands[-1] == "DATA"
    assert session.is_alive()
    session.submit(envelope(), CONTENT)
    assert scripted.contents == [CONTENT]
    assert scripted.commands.count("DATA") == 1


def test_a_begun_message_that_is_not_submitted_is_dropped_and_never_ended(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()
    session = connect(scripted)

    session.begin(envelope())
    session.close()

    scripted.wait_until_idle()
    assert scripted.unfinished == [b""]
    assert scripted.contents == []
    assert "QUIT" not in scripted.commands


def test_a_burst_costs_one_write_a_message(listen: Listen, connect: Connect) -> None:
    scripted = listen()
    session = connect(scripted)
    envelopes = [envelope(f"r{number}@x.test") for number in range(4)]
    scripted.groups.clear()

    for number, each in enumerate(envelopes):
        following = envelopes[number + 1] if number < 3 else None
        session.submit(each, CONTENT, then=following)

    assert len(scripted.groups) == 5
    assert scripted.groups[1].startswith("Subject: x\r\n\r\n..leading dot\r\n.\r\nMAIL FROM:")
    assert scripted.contents == [CONTENT] * 4


def test_the_content_of_a_chained_message_waits_for_its_own_354(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(pause_before_354=0.05)
    session = connect(scripted)

    session.submit(envelope(), CONTENT, then=envelope("b@x.test"))
    session.submit(envelope("b@x.test"), CONTENT)

    assert not scripted.early_content
    assert scripted.contents == [CONTENT, CONTENT]


def test_the_chained_message_goes_on_when_the_one_before_is_refused(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(answers={"CONTENT": ["554 5.2.0 x"]})
    session = connect(scripted)

    error = failure(lambda: session.submit(envelope(), CONTENT, then=envelope("b@x.test")))
    accepted = session.submit(envelope("b@x.test"), CONTENT)

    assert error.session_usable
    assert accepted.reply.code == 250


def test_a_refusal_of_the_chained_message_is_its_own(listen: Listen, connect: Connect) -> None:
    scripted = listen(answers={"MAIL": ["250 ok", "550 5.7.60 x"], "DATA": ["354 go", "503 x"]})
    session = connect(scripted)

    first = session.submit(envelope(), CONTENT, then=envelope("b@x.test"))
    error = failure(lambda: session.submit(envelope("b@x.test"), CONTENT))

    assert first.reply.code == 250
    assert (error.phase, error.session_usable) == (Phase.MAIL, True)


def test_another_message_than_the_chained_one_ends_the_session_without_a_final_dot(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()
    session = connect(scripted)
    session.submit(envelope(), CONTENT, then=envelope("b@x.test"))

    error = failure(lambda: session.submit(envelope("c@x.test"), CONTENT))

    assert (error.phase, error.reason) == (Phase.MAIL, Reason.ABANDONED)
    assert not error.outcome_unknown
    scripted.wait_until_idle()
    assert scripted.contents == [CONTENT]
    assert scripted.unfinished in ([], [b""])  # hung up before or after the server's 354


def test_a_chained_message_is_dropped_when_the_session_is_closed(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen()
    session = connect(scripted)
    session.submit(envelope(), CONTENT, then=envelope("b@x.test"))

    assert session.is_alive()
    session.close()

    scripted.wait_until_idle()
    assert scripted.contents == [CONTENT]
    assert "QUIT" not in scripted.commands


def test_a_break_of_the_chained_reply_concerns_the_first_message_only(
    listen: Listen, connect: Connect
) -> None:
    scripted = listen(answers={"CONTENT": [DROP]})
    session = connect(scripted)

    error = failure(lambda: session.submit(envelope(), CONTENT, then=envelope("b@x.test")))

    assert error.outcome_unknown
    again = failure(lambda: session.submit(envelope("b@x.test"), CONTENT))
    assert (again.phase, again.outcome_unknown) == (Phase.MAIL, False)


# --- idle sessions and time


def test_an_idle_session_is_alive_until_the_server_speaks_or_goes(
    listen: Listen, connect: Connect
) -> None:
    session = connect(listen(farewell_after_content="421 4.4.1 Connection timed out"))

    assert session.is_alive()
    session.submit(envelope(), CONTENT)
    assert session.is_alive()
    waited = time.monotonic()
    while session.is_alive() and time.monotonic() < waited + 5:
        time.sleep(0.01)

    assert not session.is_alive()
    error = failure(lambda: session.submit(envelope(), CONTENT))
    assert error.phase is Phase.MAIL
    assert not error.outcome_unknown


def test_a_passed_deadline_ends_it_before_the_content(listen: Listen, connect: Connect) -> None:
    scripted = listen()
    session = connect(scripted)
    session.begin(envelope())

    session.deadline = time.monotonic() - 1
    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert (error.phase, error.reason) == (Phase.DATA, Reason.TIMEOUT)
    assert not error.outcome_unknown
    scripted.wait_until_idle()
    assert scripted.contents == []


def test_the_deadline_cuts_every_wait(listen: Listen, client_tls: ssl.SSLContext) -> None:
    scripted = listen(answers={"CONTENT": [SILENCE]})
    server = Server("localhost", scripted.port, client_tls, timeouts=Timeouts())
    started = time.monotonic()

    session = server.open("kari@firma.test", token, deadline=started + 0.5)
    error = failure(lambda: session.submit(envelope(), CONTENT))

    assert error.outcome_unknown
    assert time.monotonic() - started < 2


def test_trust_is_checked_also_when_tls_is_resumed(
    listen: Listen, client_tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    first, second = listen(), listen()
    server = Server("localhost", first.port, client_tls)
    server.open("kari@firma.test", token).close()
    stranger = Server("localhost", second.port, ssl.create_default_context())

    assert failure(lambda: stranger.open("kari@firma.test", token)).reason is Reason.CERTIFICATE


def test_a_server_of_another_make_is_as_good(
    authority: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    """TLS 1.2, keywords in lower case, AUTH as of old, no extension, replies in many pieces."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("localhost").configure_cert(old)
    script = Script(
        offers_plain=("starttls",),
        offers_tls=("auth=login xoauth2", "help"),
        answers={
            "GREETING": ["220-mail.test\r\n220-says\r\n220 hello"],
            "STARTTLS": ["220 go on"],
            "RESPONSE": ["235 in"],
            "MAIL": ["250-sender\r\n250 taken"],
            "RCPT": ["250 taken", "550-no such\r\n550 user"],
            "DATA": ["354 go on"],
            "CONTENT": ["250-queued\r\n250 as 42"],
        },
        octet_by_octet=True,
    )

    with ScriptedServer(old, script) as scripted:
        session = Server("localhost", scripted.port, client_tls).open("kari@firma.test", token)
        accepted = session.submit(envelope("ola@kunde.test", "x@kunde.test"), CONTENT)
        session.close()

    assert (accepted.reply.code, accepted.reply.enhanced) == (250, None)
    assert accepted.reply.text == "queued\nas 42"
    assert [(one.address, one.reply.code) for one in accepted.refused] == [("x@kunde.test", 550)]
    assert scripted.contents == [CONTENT]
    assert "MAIL FROM:<kari@firma.test>" in scripted.commands
