"""The main job, played once and proved: from a new account to the invoice in an inbox."""

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from local.demo.invoice import pdf
from local.demo.letter import open_letter
from local.demo.report import Report
from local.demo.search import forms_of, places_of
from local.demo.server import Delivered
from local.demo.stack import PASSWORD, USERNAME, Stack
from local.demo.user_agent import UserAgent

SCOPE = [
    "https://outlook.office.com/SMTP.Send",
    "offline_access",
    "openid",
    "profile",
    "email",
]
DISPLAY_NAME = "Blåbær & Sønner AS"
SUBJECT = "Faktura 10042 \u2013 rømmegrøt, ål og blåbær"
TEXT = (
    "Hei Åse!\n\nHer er fakturaen for ærfugl, sjøørret og ål.\n\nMed vennlig hilsen\nKari Ødegård"
)
FILENAME = "Faktura 10042 \u2013 Blåbær & Sønner, Ærfuglveien.pdf"
INVOICE_SIZE = 300_000
TO, CC, BCC = "aase@kunde.no", "regnskap@kunde.no", "arkiv@firma.no"
PATIENCE = 30.0


type Answer = requests.Response


@dataclass(slots=True)
class Job:
    """What is known so far while the job is played."""

    stack: Stack
    report: Report
    account: dict[str, Any] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=dict)
    invoice: bytes = b""

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Call the API as the demo page does, with a caller's token."""
        headers |= {"Authorization": f"Bearer {self.stack.session().token}"}
        headers |= {"Accept-Language": "nb", "Origin": self.stack.page_url}
        url = self.stack.api + path
        return requests.request(method, url, json=body, headers=headers, timeout=90)


def play(stack: Stack, report: Report) -> None:
    """Play every step; an error in one ends the job (StepFailedError)."""
    job = Job(stack, report)
    with report.step("1. Account created"):
        create_account(job)
    with report.step("2. Consent given at Microsoft's sign-in"):
        give_consent(job)
    with report.step("3. Refresh token in Key Vault, and nowhere else"):
        find_refresh_token(job)
    with report.step("4. Message with æøå and a 300 kB PDF accepted"):
        send_message(job)
    with report.step("5. In the recipient's inbox, as it was asked for"):
        read_inbox(job)
    with report.step("6. Status sent, with the server's reply"):
        read_status(job)
    with report.step("7. Test message, answered when it is sent"):
        send_test(job)
    with report.step("8. After all that, still no secret at rest outside the vault"):
        search_everywhere(job)


def create_account(job: Job) -> None:
    """POST /accounts."""
    body = {"type": "office365", "username": USERNAME, "display_name": DISPLAY_NAME}
    answer = job.call("POST", "/accounts", body)
    job.account = answer.json()
    prove = job.report.proof
    prove(answer.status_code == 201, f"POST /api/accounts answered {answer.status_code}")
    prove(_names(answer, f"/accounts/{job.account['id']}"), f"id {job.account['id']}")
    prove(job.account["status"] == "pending", f"status {job.account['status']}")
    prove(job.account["address"] == USERNAME, f"sends from {job.account['address']}")
    prove(job.account["scope"] == SCOPE, f"will ask for {' '.join(job.account['scope'])}")


def give_consent(job: Job) -> None:
    """Follow connect_url as the mailbox owner's browser does."""
    browser = UserAgent(job.stack.ca)
    sign_in = browser.visit(job.account["connect_url"], referrer=f"{job.stack.page_url}/")
    _check_authorization_request(job, sign_in.url)
    consent = browser.submit(sign_in, {"username": USERNAME, "password": PASSWORD})
    accept = ("action", "accept")
    asked = any(accept in form.buttons for form in consent.forms())
    job.report.proof(asked, "signed in; Microsoft asks for consent")
    page = browser.submit(consent, {}, accept)
    job.account = job.call("GET", f"/accounts/{job.account['id']}").json()
    prove = job.report.proof
    prove(page.status == 200 and page.url.startswith(job.stack.api), "confirmation page shown")
    prove(job.account["status"] == "connected", f"account is {job.account['status']}")
    prove(not job.account["problem"], f"problem: {job.account['problem']}")
    prove(SCOPE[0] in job.account["scope"], f"granted {' '.join(job.account['scope'])}")


def _check_authorization_request(job: Job, url: str) -> None:
    """RFC 6749 section 4.1.1 and RFC 7636 section 4.3."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    prove = job.report.proof
    prove(
        url.startswith(job.stack.standins.entra.url),
        f"redirected to {job.stack.standins.entra.url}",
    )
    prove(
        asked.get("code_challenge_method") == "S256" and "state" in asked and "nonce" in asked,
        "authorization code flow with PKCE S256, state and nonce",
    )
    prove(
        asked.get("prompt") == "select_account" and asked.get("login_hint") == USERNAME,
        f"prompt {asked.get('prompt')}, login hint {asked.get('login_hint')}",
    )
    prove(set(asked.get("scope", "").split()) == set(SCOPE), "asks for exactly those scopes")


def find_refresh_token(job: Job) -> None:
    """Look for the tokens where they belong and everywhere else."""
    issued = job.stack.standins.entra.issued()["refresh_token"]
    vault = job.stack.standins.key_vault
    holding = [
        name
        for name in vault.names()
        if any(token in value for token in issued for value in vault.values(name))
    ]
    job.report.proof(len(holding) == 1, f"Key Vault secret {', '.join(holding)} holds it")
    search_everywhere(job)


def search_everywhere(job: Job) -> None:
    """Grep storage and the log for every secret that Entra, the vault and the issuer know."""
    secrets = job.stack.secrets()
    found, looked_at = places_of(secrets, job.stack.azurite.connection_string)
    text = f"{len(secrets)} secrets searched for in {looked_at} table rows, queue messages, blobs"
    job.report.proof(not found and looked_at > 0, f"{text}: {', '.join(found) or 'none found'}")
    log = job.stack.log.read_bytes()
    leaked = [secret for secret in secrets for form in forms_of(secret) if form in log]
    job.report.proof(not leaked, f"and in {len(log):,} bytes of the host's log: {len(leaked)}")


def send_message(job: Job) -> None:
    """POST /accounts/{id}/messages, without waiting: the queue delivers it."""
    job.invoice = pdf(INVOICE_SIZE, "Faktura 10042 - Blåbær & Sønner AS")
    body = {
        "to": [{"name": "Åse Ødegård", "address": TO}],
        "cc": [f"Regnskap <{CC}>"],
        "bcc": [BCC],
        "subject": SUBJECT,
        "text": TEXT,
        "attachments": [
            {
                "filename": FILENAME,
                "content_type": "application/pdf",
                "content": base64.b64encode(job.invoice).decode(),
            }
        ],
    }
    path = f"/accounts/{job.account['id']}/messages"
    answer = job.call("POST", path, body, **{"Idempotency-Key": "faktura-10042"})
    job.message = answer.json()
    prove = job.report.proof
    prove(answer.status_code == 202, f"POST answered {answer.status_code}")
    prove(_names(answer, f"{path}/{job.message['id']}"), f"message {job.message['id']}")
    prove(
        job.message["size"] > INVOICE_SIZE * 4 / 3,
        f"{job.message['size']:,} bytes as RFC 5322 message",
    )
    again = job.call("POST", path, body, **{"Idempotency-Key": "faktura-10042"})
    prove(
        again.json().get("id") == job.message["id"],
        "the same Idempotency-Key again: the same message, no second copy",
    )


def read_inbox(job: Job) -> None:
    """Wait for the message at Exchange and compare it with what was asked."""
    delivered = _await(
        lambda: next(
            (
                each
                for each in job.stack.inbox()
                if job.message["message_id"].encode() in each.content
            ),
            None,
        )
    )
    letter = open_letter(delivered.content)
    prove = job.report.proof
    prove(letter.subject == SUBJECT, f"Subject: {letter.subject}")
    prove(letter.sender in _written(DISPLAY_NAME, USERNAME), f"From: {letter.sender}")
    prove(letter.to in _written("Åse Ødegård", TO), f"To: {letter.to}")
    prove(letter.text == TEXT, f"text as written, {len(letter.text)} characters")
    prove(not letter.defects, f"MIME defects: {', '.join(letter.defects) or 'none'}")
    [attachment] = letter.attachments
    prove(attachment.filename == FILENAME, f"attachment {attachment.filename}")
    digest = hashlib.sha256(attachment.content).hexdigest()
    prove(
        attachment.content == job.invoice and attachment.content_type == "application/pdf",
        f"{attachment.content_type}, {len(attachment.content):,} bytes, SHA-256 {digest[:16]}…",
    )
    _check_envelope(job, delivered, letter.header_names)


def _check_envelope(job: Job, delivered: Delivered, header_names: tuple[str, ...]) -> None:
    prove = job.report.proof
    prove(
        set(delivered.envelope_to) == {TO, CC, BCC},
        f"envelope: {delivered.envelope_from} to {', '.join(delivered.envelope_to)}",
    )
    prove(delivered.user == USERNAME, f"over TLS, signed in as {delivered.user} with XOAUTH2")
    prove(
        "bcc" not in header_names and BCC.encode() not in delivered.content,
        "Bcc in the envelope only",
    )
    copies = [each for each in job.stack.inbox() if each.content == delivered.content]
    prove(len(copies) == 1, f"copies delivered: {len(copies)}")


def read_status(job: Job) -> None:
    """GET the message until it is final."""
    path = f"/accounts/{job.account['id']}/messages/{job.message['id']}"

    def final() -> dict[str, Any] | None:
        message: dict[str, Any] = job.call("GET", path).json()
        return None if message["status"] in ("queued", "sending") else message

    message = _await(final)
    reply = message["attempts"][-1]["reply"]
    prove = job.report.proof
    prove(message["status"] == "sent", f"status {message['status']}, sent_at {message['sent_at']}")
    prove(
        reply["code"] == 250,
        f"Exchange answered {reply['code']} {reply['enhanced']} {reply['text']}",
    )
    prove(message["problem"] is None and not message["refused"], "no problem, nobody refused")


def send_test(job: Job) -> None:
    """POST /accounts/{id}/test, which answers when the message is final."""
    answer = job.call("POST", f"/accounts/{job.account['id']}/test")
    message = answer.json()
    prove = job.report.proof
    prove(answer.status_code == 200, f"POST answered {answer.status_code}")
    prove(
        message.get("status") == "sent",
        f"status {message.get('status')}: {message.get('subject')}",
    )
    arrived = [
        each for each in job.stack.inbox() if message["message_id"].encode() in each.content
    ]
    prove(
        [each.envelope_to for each in arrived] == [(USERNAME,)],
        f"delivered to {USERNAME}, the account's own address",
    )


def _names(answer: Answer, path: str) -> bool:
    """Whether the Location header leads to *path* of the API."""
    return urlsplit(answer.headers.get("Location", "")).path == f"/api{path}"


def _written(name: str, address: str) -> tuple[str, str]:
    """A mailbox as RFC 5322 section 3.4 lets it be written: the name quoted or not."""
    return f"{name} <{address}>", f'"{name}" <{address}>'


def _await[T](look: Callable[[], T | None]) -> T:
    """Look until there is something to see."""
    deadline = time.monotonic() + PATIENCE
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing within {PATIENCE:.0f} s")
        time.sleep(0.05)
    return found
