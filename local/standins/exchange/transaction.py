"""One mail transaction: envelope parameters, the content's bytes, and the verdict at its end."""

import re
from typing import TYPE_CHECKING

from local.standins.exchange import content as judged

if TYPE_CHECKING:
    from local.standins.exchange.dialogue import Dialogue

SIZE_LIMIT = 157_286_400
END = b"\r\n.\r\n"
MAIL_PARAMETER = re.compile(
    r"(?i)SIZE=\d{1,20}|BODY=(?:7BIT|8BITMIME|BINARYMIME)|SMTPUTF8|RET=(?:FULL|HDRS)"
    r"|ENVID=\S{1,100}|AUTH=\S+"
)
RCPT_PARAMETER = re.compile(r"(?i)NOTIFY=[A-Z,]+|ORCPT=\S+")
ADDRESS = re.compile(
    r'(?:[^\s@<>()\[\],;:\\"]+|"[^"\r\n]+")@(?:[^\s@<>()\[\],;:\\".]+\.)*[^\s@<>()\[\],;:\\".]+'
)
TOO_BIG = "552 5.3.4 Message size exceeds fixed maximum message size"
STORE_DRIVER = "STOREDRV.Submission.Exception:"
EXPLAINED = "Failed to process message due to a permanent exception with message"


class Transaction:
    """From MAIL to the reply to the content; the session makes one per message."""

    def __init__(self, session: "Dialogue", mail_from: str) -> None:
        self.mail_from = mail_from
        self.rcpt_to: list[str] = []
        self.smtputf8 = False
        self._session = session
        self._exchange = session.exchange
        self._declared: int | None = None
        self._eight_bit = False
        self._scanned = 0
        self._begun = False
        self._halfway = False

    def set_parameters(self, parameters: list[str]) -> str:
        """Take MAIL's parameters; the refusal, or nothing."""
        for parameter in parameters:
            if not MAIL_PARAMETER.fullmatch(parameter):
                return "501 5.5.4 Invalid arguments"
            name, _, value = parameter.upper().partition("=")
            if name == "SIZE":
                self._declared = int(value)
            self.smtputf8 |= name == "SMTPUTF8"
            self._eight_bit |= value in ("8BITMIME", "BINARYMIME")
        if self._declared is not None and self._declared > SIZE_LIMIT:
            return TOO_BIG
        if not self.mail_from.isascii() and not self.smtputf8:
            self._exchange.violations["non-ASCII address without SMTPUTF8"] += 1
            return "550 5.6.7 Non-ASCII address without SMTPUTF8"
        return ""

    def refuse_recipient(self, address: str, parameters: list[str]) -> str:
        """Why *address* is not taken, or nothing."""
        if any(not RCPT_PARAMETER.fullmatch(parameter) for parameter in parameters):
            return "501 5.5.4 Invalid arguments"
        if not ADDRESS.fullmatch(address):
            return "501 5.1.3 Invalid address"
        if not address.isascii() and not self.smtputf8:
            self._exchange.violations["non-ASCII address without SMTPUTF8"] += 1
            return "550 5.6.7 Non-ASCII address without SMTPUTF8"
        return self._exchange.refused_recipients.get(address.lower(), "")

    def take_content(self) -> bool:
        """Look for the end of the content in the session's buffer; False when it is not there."""
        session, buffer = self._session, self._session.buffer
        if self._interrupted():
            return False
        if buffer.startswith(b".\r\n"):
            raw, behind = b"", 3
        else:
            end = buffer.find(END, max(0, self._scanned - len(END)))
            if end < 0:
                self._scanned = len(buffer)
                return self._runs_over()
            raw, behind = bytes(memoryview(buffer)[: end + 2]), end + len(END)
        del buffer[:behind]
        session.reading_content = False
        session.transaction = None
        self._finish(raw)
        return True

    def _runs_over(self) -> bool:
        if len(self._session.buffer) > SIZE_LIMIT:
            self._session.send(TOO_BIG)
            self._session.end()
        return False

    def _interrupted(self) -> bool:
        """Whether the script cuts the connection here."""
        size = len(self._session.buffer)
        if size and not self._begun:
            self._begun = True
            if self._cut("content-begin"):
                return True
        half = (self._declared or 0) / 2
        if size and size >= half and not self._halfway:
            self._halfway = True
            return self._cut("content-half")
        return False

    def _cut(self, stage: str) -> bool:
        session = self._session
        step = self._exchange.script.take(
            stage, session.mailbox.address if session.mailbox else None
        )
        if step is None:
            return False
        if step.hang:
            session.pause(None)
        else:
            session.cut()
        return True

    def _finish(self, raw: bytes) -> None:
        session = self._session
        if self._cut("content-end-before-store"):
            return
        if not judged.is_stuffed(raw):
            self._exchange.violations["leading dot not doubled"] += 1
        content = judged.unstuffed(raw)
        headers = judged.headers(content)
        problem = self._problem(content, headers)
        if problem:
            session.decline(problem)
            return
        host = session.host
        reply = f"250 2.0.0 OK {headers.message_id or '<none>'} [Hostname={host}]"
        session.accept("content", reply, lambda: self._store(content, headers.message_id))

    def _store(self, content: bytes, message_id: str) -> None:
        session = self._session
        if session.mailbox is None:
            return
        self._exchange.mailboxes.store(
            session.mailbox,
            self.mail_from,
            tuple(self.rcpt_to),
            content,
            session=session.id,
            message_id=message_id,
            smtputf8=self.smtputf8,
        )
        self._exchange.counters["messages"] += 1
        self._cut("content-end-after-store")

    def _problem(self, content: bytes, headers: judged.Headers) -> str:
        """Why Exchange does not take this message, or nothing."""
        if self._declared is not None and len(content) > self._declared:
            self._exchange.violations["content longer than SIZE said"] += 1
        fault = judged.fault(content, smtputf8=self.smtputf8, eight_bit=self._eight_bit)
        if fault:
            code, enhanced, words = fault
            self._exchange.violations[words] += 1
            return f"{code} {enhanced} {words}"
        if not headers.authors:
            words = "Access denied, message must be RFC 5322 section 3.6.2 compliant"
            return f"550 5.7.512 {words}"
        if len(headers.authors) > 1 and not headers.sender:
            words = "Multiple From addresses are not allowed without Sender address"
            return f"550 5.1.20 {words}"
        return self._denied(headers) or self._over_limit(len(content))

    def _denied(self, headers: judged.Headers) -> str:
        mailbox = self._session.mailbox
        if mailbox is None:
            return "530 5.7.57 Client not authenticated to send mail."
        for address in (self.mail_from, headers.sender or headers.authors[0]):
            if not mailbox.may_send_as(address):
                denied = f"{STORE_DRIVER}SendAsDeniedException.MapiExceptionSendAsDenied"
                return (
                    f"554 5.2.252 SendAsDenied; {mailbox.address} not allowed to send as "
                    f"{address}; {denied}; {EXPLAINED} [BeginDiagnosticData]Cannot submit message."
                )
        return ""

    def _over_limit(self, size: int) -> str:
        """The mailbox's own limits, then Exchange's for everyone."""
        mailbox = self._session.mailbox
        if mailbox is None:
            return ""
        if size > mailbox.max_send_size:
            return "554 5.2.3 RESOLVER.RST.SendSizeLimit.Sender; message too large for this sender"
        if len(self.rcpt_to) > mailbox.recipient_limit:
            return "550 5.5.3 RESOLVER.ADR.RecipLimit; too many recipients"
        if mailbox.full:
            shut = "QuotaExceededException.MapiExceptionShutoffQuotaExceeded"
            return f"554 5.2.2 mailbox full; {STORE_DRIVER}{shut}; {EXPLAINED}"
        return self._throttled()

    def _throttled(self) -> str:
        session, limits = self._session, self._exchange.limits
        mailbox = session.mailbox
        if mailbox is None:
            return ""
        host = f"[Hostname={session.host}]"
        over = ""
        if session.id in mailbox.sessions[limits.connections :]:
            self._exchange.violations["messages over the connection limit"] += 1
            visit = "Visit https://aka.ms/concurrent_sending for more information."
            over = f"432 4.3.2 Concurrent connections limit exceeded. {visit} {host}"
        elif mailbox.sent_in_the_last_minute() >= limits.messages_per_minute:
            self._exchange.violations["messages per minute"] += 1
            over = f"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded {host}"
        elif mailbox.recipients_in_the_last_day() + len(self.rcpt_to) > limits.recipients_per_day:
            self._exchange.violations["recipients per day"] += 1
            over = f"554 5.2.0 {STORE_DRIVER}SubmissionQuotaExceededException; {EXPLAINED}"
        return over if limits.enforced else ""
