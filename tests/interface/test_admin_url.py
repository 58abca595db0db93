"""The page for IT, as the frontend gets hold of it: on the problem that IT has to settle."""

from urllib.parse import urlsplit

from tests.client import Answer, Api, request

KARI = "kari@firma.no"


def page_at(api: Api, url: str, method: str = "GET", language: str = "en") -> Answer:
    """The page as whoever the link was forwarded to sees it: no token, no cookie."""
    assert urlsplit(url).path == "/api/oauth/admin"
    return request(method, url, None, {"Accept-Language": language})


def test_the_account_has_a_link_for_it_and_the_page_ends_the_problem_for_everybody(
    api: Api,
) -> None:
    api.standins.exchange.allow_smtp_auth(KARI, allowed=False)
    account = api.add_account()
    api.connect(account)
    path = f"/accounts/{account['id']}"

    blocked = api.get(path).json
    link = blocked["problem"]["admin_url"]
    shown = page_at(api, link)
    still = page_at(api, link, "POST")
    api.standins.exchange.allow_smtp_auth(KARI)
    done = page_at(api, link, "POST")
    after = api.get(path).json

    assert (blocked["status"], blocked["problem"]["who"]) == ("action_required", "admin")
    assert "Set-CASMailbox -Identity kari@firma.no" in shown.text
    assert "It is not in order yet" in still.text
    assert "It worked" in done.text
    assert (after["status"], after["problem"]) == ("connected", None)


def test_every_answer_that_shows_the_problem_has_the_link(api: Api) -> None:
    api.standins.exchange.allow_smtp_auth(KARI, allowed=False)
    account = api.add_account()
    api.connect(account)
    path = f"/accounts/{account['id']}"

    tested = api.post(f"{path}/test").json
    verified = api.post(f"{path}/verify").json
    listed = api.get("/accounts").json["items"][0]
    [check] = [one for one in verified["checks"] if one["status"] == "fail"]

    for found in (tested, check, listed):
        assert page_at(api, found["problem"]["admin_url"]).status == 200
    assert tested["status"] == "held"
    assert verified["ok"] is False


def test_a_tenant_that_wants_an_admins_approval_is_told_of_before_anything_is_connected(
    api: Api,
) -> None:
    api.standins.entra.require_admin_consent("firma.no")
    account = api.add_account()
    path = f"/accounts/{account['id']}"

    refused = api.connect(account)
    waiting = api.get(path).json
    link = waiting["problem"]["admin_url"]
    shown = page_at(api, link, language="nb")
    api.standins.entra.admin_consents("firma.no")
    api.connect(api.post(f"{path}/connect").json | {"username": KARI})
    after = api.get(path).json

    assert refused.status == 403
    assert (waiting["status"], waiting["connected_at"]) == ("pending", None)
    assert waiting["problem"]["code"] == "consent-cancelled"  # so it looks from outside Microsoft
    assert "adminconsent" in shown.text
    assert (after["status"], after["problem"]) == ("connected", None)


def test_what_the_user_can_settle_has_no_link_and_what_went_wrong_before_is_forgotten(
    api: Api,
) -> None:
    api.standins.entra.require_admin_consent("firma.no")
    account = api.add_account()
    path = f"/accounts/{account['id']}"
    api.connect(account)
    assert api.get(path).json["problem"]

    api.standins.entra.require_admin_consent("firma.no", required=False)
    wrong = api.connect(api.post(f"{path}/connect").json, as_="ola@firma.no")
    found = api.get(path).json

    assert wrong.status == 403
    assert (found["status"], found["problem"]) == ("pending", None)


def test_a_refusal_leaves_a_connected_account_as_it_was(api: Api) -> None:
    account = api.add_connected_account()
    path = f"/accounts/{account['id']}"
    api.standins.entra.revoke_consent(KARI)
    api.standins.entra.require_admin_consent("firma.no")

    refused = api.connect(api.post(f"{path}/connect").json | {"username": KARI})
    found = api.get(path).json

    assert refused.status == 403
    assert (found["status"], found["problem"]) == ("connected", None)


def test_a_message_to_an_account_that_nobody_connected_says_what_it_waits_for(api: Api) -> None:
    account = api.add_account()

    held = api.post(
        f"/accounts/{account['id']}/messages", {"to": ["ola@kunde.no"], "text": "Hei"}
    ).json

    assert (held["status"], held["problem"]["code"]) == ("held", "account-not-connected")
    assert held["problem"]["who"] == "user"
    assert "admin_url" not in held["problem"]


def test_the_link_says_nothing_by_itself_and_cannot_be_changed(api: Api) -> None:
    api.standins.exchange.allow_smtp_auth(KARI, allowed=False)
    account = api.add_account()
    api.connect(account)
    link = api.get(f"/accounts/{account['id']}").json["problem"]["admin_url"]

    assert account["id"] not in link
    assert KARI not in link
    spoiled = link[:-1] + ("A" if link[-1] != "A" else "B")
    assert page_at(api, spoiled).status == 400
    assert urlsplit(link).query.count("&") == 0
