"""What the Exchange stand-in does on demand, its limits, and what it says of content."""

import time

import pytest

from local.standins import Stack
from tests.standins.talk import Talk, message, stuffed

RECEIVED = ("mail", "rcpt", "data", "content-begin", "content-half", "content")


def submit(talk: Talk, content: bytes | None = None, rcpt: str = "ola@x.no") -> str:
    """Send one message; the first reply that is not the usual, or the last."""
    content = message() if content is None else content
    size = len(content)
    for line in (f"MAIL FROM:<kari@firma.no> SIZE={size}", f"RCPT TO:<{rcpt}>", "DATA"):
        reply = talk.ask(line)
        if reply[:1] not in ("2", "3"):
            return reply
    talk.send(stuffed(content) + b".\r\n")
    return talk.hear()


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "content"])
def test_a_reply_can_be_planned_for_a_stage(standins: Stack, stage: str) -> None:
    standins.exchange.reply_next(stage, "451 4.7.0 Temporary server error. PRX4", times=2)
    with Talk(standins).sign_in() as talk:
        for _ in range(2):
            assert submit(talk).startswith("451 4.7.0 Temporary server error. PRX4 [")
            talk.ask("RSET")
        assert submit(talk).startswith("250 2.0.0 OK")
    assert len(standins.exchange.delivered) == 1


def test_a_plan_can_be_for_one_mailbox(standins: Stack) -> None:
    standins.exchange.reply_next("content", "452 4.3.1 Insufficient", mailbox="ola@firma.no")
    with Talk(standins).sign_in() as talk:
        assert submit(talk).startswith("250")


def test_every_stage_can_be_watched_and_cut(standins: Stack) -> None:
    seen: list[tuple[str, str | None]] = []

    def watch(stage: str, mailbox: str | None) -> bool:
        seen.append((stage, mailbox))
        return stage == "content-end-before-store"

    standins.exchange.script.watch = watch
    with Talk(standins).sign_in() as talk:
        assert submit(talk) == ""

    stages = [stage for stage, _ in seen]
    assert stages[:6] == ["connect", "greeting", "ehlo", "starttls", "ehlo", "auth"]
    assert stages[6:9] == ["mail", "rcpt", "data"]
    assert stages[-1] == "content-end-before-store"
    assert {mailbox for _, mailbox in seen} == {None, "kari@firma.no"}
    assert standins.exchange.delivered == []


def test_421_ends_the_session(standins: Stack) -> None:
    standins.exchange.reply_next("mail", "421 4.3.2 Service not available")
    with Talk(standins).sign_in() as talk:
        assert submit(talk).startswith("421 4.3.2")
        assert talk.hear() == ""


@pytest.mark.parametrize("stage", RECEIVED)
def test_a_cut_before_the_end_stores_nothing(standins: Stack, stage: str) -> None:
    standins.exchange.drop_at(stage)
    with Talk(standins).sign_in() as talk:
        assert submit(talk) == ""
    assert standins.exchange.delivered == []


def test_a_cut_at_the_end_may_or_may_not_have_stored(standins: Stack) -> None:
    standins.exchange.drop_at("content-end-before-store")
    with Talk(standins).sign_in() as talk:
        assert submit(talk) == ""
    assert standins.exchange.delivered == []
    standins.exchange.drop_at("content-end-after-store")
    with Talk(standins).sign_in() as talk:
        assert submit(talk) == ""
    assert len(standins.exchange.delivered) == 1


@pytest.mark.parametrize("stage", ["connect", "greeting"])
def test_a_cut_can_come_before_the_first_word(standins: Stack, stage: str) -> None:
    standins.exchange.drop_at(stage)
    with Talk(standins) as talk:
        assert talk.hear() == ""


def test_a_half_transferred_content_is_cut_at_half(standins: Stack) -> None:
    standins.exchange.drop_at("content-half")
    with Talk(standins).sign_in() as talk:
        for line in ("MAIL FROM:<kari@firma.no> SIZE=1000", "RCPT TO:<ola@x.no>", "DATA"):
            talk.ask(line)
        talk.send(b"x" * 300)
        time.sleep(0.05)
        assert standins.exchange.sessions
        talk.send(b"x" * 300)
        assert talk.hear() == ""


def test_duplicates_are_counted_by_message_id(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        for number in (1, 2, 1):
            submit(talk, message(number))
    assert standins.exchange.duplicates() == {"<1@firma.no>": 2}


def test_a_delay_is_a_delay_for_its_stage(standins: Stack) -> None:
    standins.exchange.delay("content", 0.1)
    with Talk(standins).sign_in() as talk:
        began = time.monotonic()
        assert submit(talk).startswith("250")
        assert time.monotonic() - began > 0.1


def test_a_refused_recipient_leaves_the_others(standins: Stack) -> None:
    standins.exchange.refuse_recipient("nobody@x.no")
    with Talk(standins).sign_in() as talk:
        talk.say("MAIL FROM:<kari@firma.no>", "RCPT TO:<nobody@x.no>", "RCPT TO:<ola@x.no>")
        assert [talk.hear()[:9] for _ in range(3)] == ["250 2.1.0", "550 5.1.1", "250 2.1.5"]
        talk.ask("DATA")
        talk.send(message().replace(b".prikk\r\n", b"") + b".\r\n")
        assert talk.hear().startswith("250")
    assert standins.exchange.delivered[0].rcpt_to == ("ola@x.no",)


def test_send_as_is_checked_after_the_content(standins: Stack) -> None:
    shared = message(sender="faktura@firma.no")
    with Talk(standins).sign_in() as talk:
        reply = submit(talk, shared)
        assert reply.startswith("554 5.2.252 SendAsDenied; kari@firma.no not allowed to send as")
        standins.exchange.grant_send_as("kari@firma.no", "faktura@firma.no")
        assert submit(talk, shared).startswith("250")


def test_thirty_messages_a_minute_pass(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        assert {submit(talk, message(n))[:3] for n in range(30)} == {"250"}
        assert submit(talk).startswith("432 4.3.2 STOREDRV.ClientSubmit")
        standins.exchange.enforce_limits(enforced=False)
        assert submit(talk).startswith("250")
    assert standins.exchange.breaches() == {"messages per minute": 2}


def test_the_fourth_session_of_a_mailbox_is_told_at_the_end_of_the_content(
    standins: Stack,
) -> None:
    talks = [Talk(standins).sign_in() for _ in range(4)]
    try:
        assert submit(talks[2]).startswith("250")
        assert submit(talks[3]).startswith("432 4.3.2 Concurrent connections limit exceeded.")
        talks[0].close()
        time.sleep(0.05)
        assert submit(talks[3]).startswith("250")
    finally:
        for talk in talks:
            talk.close()


def test_recipients_are_counted_by_the_day(standins: Stack) -> None:
    standins.exchange.enforce_limits(recipients_per_day=2)
    with Talk(standins).sign_in() as talk:
        assert submit(talk).startswith("250")
        assert submit(talk).startswith("250")
        assert "SubmissionQuotaExceededException" in submit(talk)


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        (message().replace(b"Hei\r\n", b"Hei\n"), "550 5.6.11 Invalid characters"),
        (message().replace(b"Hei", b"He\ri"), "550 5.6.11 Invalid characters"),
        (message().replace(b"Hei", b"x" * 999), "554 5.6.0"),
        (message().replace(b"Hei", "Hå".encode()), "554 5.6.3"),
        (message().replace(b"Kari", "Kåre".encode()), "554 5.6.9"),
        (message().replace(b"From: ", b"X: "), "550 5.7.512"),
        (message().replace(b"\r\nTo", b", <b@firma.no>\r\nTo"), "550 5.1.20"),
        (message().replace(b"Hei", b"x" * 998), "250 2.0.0"),
        (message().replace(b"Kari <kari", b"Kari\r\n <kari"), "250 2.0.0"),
    ],
)
def test_content_is_judged(standins: Stack, content: bytes, reply: str) -> None:
    with Talk(standins).sign_in() as talk:
        assert submit(talk, content).startswith(reply)


def test_an_undoubled_dot_is_noticed(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        for line in ("MAIL FROM:<kari@firma.no>", "RCPT TO:<ola@x.no>", "DATA"):
            talk.ask(line)
        talk.send(message() + b".\r\n")
        assert talk.hear().startswith("250")
    assert standins.exchange.breaches() == {"leading dot not doubled": 1}


def test_a_mailbox_has_limits_of_its_own(standins: Stack) -> None:
    standins.exchange.limit_mailbox("kari@firma.no", max_send_size=50)
    with Talk(standins).sign_in() as talk:
        assert submit(talk).startswith("554 5.2.3")
        standins.exchange.fill_mailbox("kari@firma.no")
        standins.exchange.limit_mailbox("kari@firma.no", max_send_size=10_000)
        assert submit(talk).startswith("554 5.2.2 mailbox full")


def test_exchange_can_be_down_and_come_back_on_the_same_port(standins: Stack) -> None:
    port = standins.exchange.port
    standins.exchange.down()
    with pytest.raises(ConnectionRefusedError):
        Talk(standins)
    standins.exchange.up()
    Talk(standins).sign_in().close()
    assert standins.exchange.port == port


def test_open_sessions_can_be_cut(standins: Stack) -> None:
    with Talk(standins).sign_in() as talk:
        standins.exchange.close_sessions()
        assert talk.hear() == ""
