"""After a run of everything, good and bad, no secret lies or stands anywhere but in the vault."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from local import azurite as emulator
from local.demo.search import forms_of, places_of
from local.host.process import HostProcess, running
from local.standins import Stack
from tests.client import Answer, Api, request
from tests.ports import free_port

KARI, OLA = "kari@firma.no", "ola@firma.no"
LINE = "Lang linje."
LARGE = f"{LINE}\r\n" * 120_000
SHORTEST = 16


@dataclass
class Run:
    """What the run left: every answer, every link and cookie given, every line of the log."""

    api: Api
    host: HostProcess
    storage: str
    answers: list[Answer] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)

    def get(self, url: str, cookies: tuple[str, ...] = (), referer: str = "") -> Answer:
        """A browser's visit; what it is given is a secret of that browser."""
        headers = {"Accept-Language": "en", "Referer": referer}
        if cookies:
            headers["Cookie"] = "; ".join(one.partition(";")[0] for one in cookies)
        return self.note(request("GET", url, None, headers))

    def note(self, answer: Answer) -> Answer:
        self.answers.append(answer)
        pairs = [one.partition(";")[0].partition("=")[2] for one in answer.cookies]
        self.cookies += [value for value in pairs if value]
        return answer

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        answer = self.note(self.api.call(method, path, body, **headers))
        for url in re.findall(r'"(?:connect|admin)_url": "([^"]+)"', answer.text):
            self.links.append(url)
        return answer

    def opened(self, username: str = KARI) -> dict[str, str]:
        body = {"type": "office365", "username": username}
        found: dict[str, str] = self.call("POST", "/accounts", body).json
        return found

    def connect(self, account: dict[str, str], as_: str = KARI, *, consent: bool = True) -> Answer:
        """Open the connect link as from a mail: past the question, through Microsoft, and back."""
        asked = self.get(account["connect_url"])
        [go_on] = re.findall(r'class="button" href="([^"]+)"', asked.text)
        target = f"{self.api.url}/api/oauth/{go_on.replace('&amp;', '&')}"
        start = self.get(target, asked.cookies)
        self.links += [account["connect_url"], target, start.headers["location"]]
        back = self.api.standins.entra.sign_in(start.headers["location"], as_, consent)
        self.links.append(back)
        return self.get(back, (*asked.cookies, *start.cookies))


@pytest.fixture(scope="module")
def run(stack: Stack, azurite: emulator.Azurite, settings: dict[str, str]) -> Iterator[Run]:
    stack.reset()
    port = free_port()
    own = {"PUBLIC_URL": f"http://localhost:{port}"}
    with running({**settings, **own}, port=port) as host:
        api = Api(host.url, stack, stack.issuer.mint, "hemmelig")
        made = Run(api, host, azurite.connection_string)
        everything(made)
        yield made


def everything(run: Run) -> None:
    """The whole life of accounts and messages, and whatever may go wrong in it."""
    account = refused_connects(run)
    path = f"/accounts/{account['id']}"
    connected = run.connect(run.call("POST", f"{path}/connect").json)
    assert "You can go back to Quick3" in connected.text
    sent_and_refused(run, path)
    callers_refused(run, path)
    blocked_and_helped_by_it(run, path)
    services_away(run, path)
    upkeep(run)
    other = run.opened(OLA)
    run.connect(other, OLA)
    assert run.call("DELETE", f"/accounts/{other['id']}").status == 204


def refused_connects(run: Run) -> dict[str, str]:
    entra, key_vault = run.api.standins.entra, run.api.standins.key_vault
    account = run.opened()
    path = f"/accounts/{account['id']}/connect"

    def again() -> dict[str, str]:
        found: dict[str, str] = run.call("POST", path).json
        return found

    assert run.connect(account, OLA).status == 403
    assert run.connect(again(), consent=False).status == 403
    entra.withhold_scope()
    assert run.connect(again()).status == 403
    entra.restore()
    entra.withhold_refresh_token()
    assert run.connect(again()).status == 403
    entra.restore()
    entra.alter_id_token(aud="another")
    assert run.connect(again()).status >= 400
    entra.restore()
    entra.break_client_credential()
    assert run.connect(again()).status == 503
    entra.restore()
    entra.fail_next(3, "unavailable", "token")
    assert run.connect(again()).status == 503
    entra.restore()
    key_vault.forbid()
    assert run.connect(again()).status == 503
    key_vault.restore()
    for query in ("code=x&state=" + "y" * 22, "error=access_denied", "ticket=1&ticket=2"):
        assert run.get(f"{run.api.url}/api/oauth/callback?{query}").status == 400
    replayed = next(link for link in reversed(run.links) if "/oauth/callback?" in link)
    assert run.get(replayed, tuple(f"{n}=x" for n in run.cookies[:1])).status == 400
    return account


def sent_and_refused(run: Run, path: str) -> None:
    exchange = run.api.standins.exchange
    letter = {"to": ["aase@kunde.no"], "subject": "Hei", "text": "Hei"}
    key = {"idempotency_key": "k-1", "prefer": "wait=20"}
    assert run.call("POST", f"{path}/messages", letter, **key).json["status"] == "sent"
    assert run.call("POST", f"{path}/messages", letter, **key).status == 200
    large = {**letter, "text": LARGE}
    assert run.call("POST", f"{path}/messages", large, prefer="wait=20").json["status"] == "sent"
    exchange.refuse_recipient("aase@kunde.no")
    run.call("POST", f"{path}/messages", letter, prefer="wait=20")
    exchange.restore()
    exchange.drop_at("content-end-after-store")
    uncertain = run.call("POST", f"{path}/messages", letter, prefer="wait=20").json
    assert uncertain["status"] == "uncertain"
    run.call("POST", f"{path}/messages/{uncertain['id']}/resolve", {"as": "sent"})
    for wrong in ({}, {"to": ["x"]}, {"colour": "blue"}, b"{", letter | {"text": "\ud800"}):
        assert run.call("POST", f"{path}/messages", wrong).status in (400, 422)
    assert run.call("POST", f"{path}/test").json["status"] == "sent"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    waiting = run.call("POST", f"{path}/messages", {**large, "send_at": tomorrow}).json
    assert waiting["status"] == "queued"


def callers_refused(run: Run, path: str) -> None:
    mint = run.api.mint
    kinds = (
        mint(run.api.customer, exp=1),
        mint(run.api.customer, aud="another"),
        mint(run.api.customer, scopes=""),
        mint(run.api.customer)[:-4] + "AAAA",
    )
    for token in kinds:
        run.api.token = token
        assert run.call("GET", path).status in (401, 403)
        run.api.standins.issuer.issued.append(token)
    run.api.token = None


def blocked_and_helped_by_it(run: Run, path: str) -> None:
    exchange = run.api.standins.exchange
    exchange.allow_smtp_auth(KARI, allowed=False)
    exchange.close_sessions()
    assert run.call("POST", f"{path}/verify").json["ok"] is False
    assert run.call("POST", f"{path}/test").json["status"] == "held"
    link = run.call("GET", path).json["problem"]["admin_url"]
    run.links.append(link)
    page = run.get(link)
    assert "Set-CASMailbox" in page.text
    exchange.allow_smtp_auth(KARI)
    assert "It worked" in run.note(request("POST", link, None, {"Accept-Language": "en"})).text


def services_away(run: Run, path: str) -> None:
    entra, key_vault = run.api.standins.entra, run.api.standins.key_vault
    entra.access_token_life(60)
    entra.fail_next(2, "unavailable", "token")
    run.call("POST", f"{path}/verify")
    entra.throttle(html=True)
    run.call("POST", f"{path}/verify")
    entra.break_client_credential()
    run.call("POST", f"{path}/verify")
    entra.restore()
    entra.revoke_sessions(KARI)
    run.call("POST", f"{path}/verify")
    key_vault.down()
    run.call("POST", f"{path}/verify")
    run.call("POST", f"{path}/connect")
    run.call("GET", "/health")
    key_vault.up()
    run.api.standins.exchange.down()
    run.call("POST", f"{path}/verify")
    run.api.standins.exchange.up()


def upkeep(run: Run) -> None:
    """Let the timers do their work, and see in the log that they did it."""
    for name, event in (
        ("upkeep", "event=upkeep "),
        ("rotate_sealing_key", "event=sealing_key_checked"),
    ):
        headers = {"Content-Type": "application/json"}
        run.note(request("POST", f"{run.host.url}/admin/functions/{name}", b"{}", headers))
        deadline = time.monotonic() + 20
        while not any(event in line for line in run.host.log):
            assert time.monotonic() < deadline, name
            time.sleep(0.05)


def issued_by_others(run: Run) -> set[str]:
    """What Microsoft and the issuer gave or got: tokens, codes, verifiers, assertions."""
    standins = run.api.standins
    found = [*standins.issuer.issued, *standins.identity.issued]
    for secrets in standins.entra.issued().values():
        found += secrets
    for name in standins.key_vault.names():
        found += standins.key_vault.values(name)
    return {one for one in found if len(one) >= SHORTEST}


def given_to_browsers(run: Run) -> set[str]:
    """What links and cookies hold: tickets, confirmations, states, nonces, sealed flows."""
    found = set(run.cookies)
    for link in run.links:
        query = parse_qs(urlsplit(link).query)
        for name in ("ticket", "confirm", "link", "state", "nonce", "code"):
            found |= set(query.get(name, ()))
    return {one for one in found if len(one) >= SHORTEST}


def holding(secrets: set[str], lines: list[str]) -> list[str]:
    """The lines that hold a secret: as it is, as part of a URL, or in base64."""
    needles = {form for one in secrets for form in (*forms_of(one), quote(one, safe="").encode())}
    return [line[:300] for line in lines if any(one in line.encode() for one in needles)]


def test_the_run_issued_secrets_of_every_kind(run: Run) -> None:
    kinds = run.api.standins.entra.issued()

    assert {"code", "refresh_token", "access_token", "id_token"} <= set(kinds)
    assert {"client_assertion", "code_verifier"} <= set(kinds)
    assert all(kinds.values())
    assert len(issued_by_others(run)) > 40
    assert len(given_to_browsers(run)) > 30
    assert len(run.answers) > 70


def test_what_is_looked_for_would_be_found(run: Run) -> None:
    """The search itself: what is known to lie there is found, plain and in base64."""
    account = run.answers[0].json["id"]

    assert holding({account}, list(run.host.log))
    assert holding({account}, [f"x={base64.b64encode(account.encode()).decode()}"])
    assert places_of([KARI], run.storage)[0]
    assert places_of([account], run.storage)[0]
    assert any(place.startswith("blob content") for place in places_of([LINE], run.storage)[0])


def test_no_log_line_holds_a_secret(run: Run) -> None:
    lines = list(run.host.log)

    assert len(lines) > 100
    assert holding(issued_by_others(run) | given_to_browsers(run), lines) == []


def test_no_answer_holds_a_secret_of_microsofts_the_vaults_or_the_issuers(run: Run) -> None:
    told = [
        f"{answer.status} {dict(answer.headers)} {answer.cookies} {answer.text}"
        for answer in run.answers
    ]

    assert holding(issued_by_others(run), told) == []


def test_no_problem_holds_what_was_given_to_browsers(run: Run) -> None:
    """An account's answer holds its own links; what is wrong with a request holds nothing."""
    problems = [
        answer.text
        for answer in run.answers
        if answer.headers.get("content-type") == "application/problem+json"
    ]

    assert len(problems) > 8
    assert holding(issued_by_others(run) | given_to_browsers(run), problems) == []


def test_no_table_queue_or_blob_holds_a_secret(run: Run) -> None:
    secrets = issued_by_others(run) | given_to_browsers(run)

    found, looked_at = places_of(sorted(secrets), run.storage)

    assert found == []
    assert looked_at > 20


def test_names_and_tags_in_the_vault_hold_no_secret(run: Run) -> None:
    key_vault = run.api.standins.key_vault
    described = [
        json.dumps([name, key_vault.describe(name)])
        for name in (*key_vault.names(), *key_vault.deleted_names())
    ]
    people = [KARI, OLA, "Kari Nordmann", run.api.customer]

    assert len(described) >= 2
    assert holding(issued_by_others(run) | given_to_browsers(run), described) == []
    assert [one for one in described if any(person in one for person in people)] == []


def test_the_refresh_token_is_in_the_vault_and_a_deleted_accounts_is_not_usable(run: Run) -> None:
    key_vault = run.api.standins.key_vault
    refresh_tokens = set(run.api.standins.entra.issued()["refresh_token"])
    kept = {value for name in key_vault.names() for value in key_vault.values(name)}

    assert refresh_tokens & kept
    deleted = [v for name in key_vault.deleted_names() for v in key_vault.describe(name)]
    assert deleted
    assert not any(version["enabled"] for version in deleted)
