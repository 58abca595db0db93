"""What nobody set and a serializer wrote as null: as good as absent, and never an excuse."""

from tests.client import Answer, Api


def errors(answer: Answer) -> dict[str, str]:
    assert answer.status == 422, answer.text
    return {one["pointer"]: one["detail"] for one in answer.json["errors"]}


def test_an_account_opens_with_nulls_for_what_it_need_not_have(api: Api) -> None:
    account = api.add_account(address=None, display_name=None)

    assert (account["address"], account["display_name"]) == ("kari@firma.no", None)


def test_what_is_required_is_missing_as_null_and_what_is_unknown_stays_so(api: Api) -> None:
    found = errors(api.post("/accounts", {"type": None, "username": None, "imap": None}))

    assert set(found) == {"/type", "/username", "/imap"}
    assert found["/type"] == found["/username"] == "is missing"
    assert "is not a known member" in found["/imap"]


def test_a_change_by_null_takes_only_the_name_away(api: Api) -> None:
    account = api.add_account(address="faktura@firma.no", display_name="Firma AS")
    path = f"/accounts/{account['id']}"

    named = api.patch(path, {"username": None, "address": None}).json
    unnamed = api.patch(path, {"display_name": None}).json

    assert named == {**unnamed, "display_name": "Firma AS"}
    assert unnamed["display_name"] is None
    assert (unnamed["username"], unnamed["address"]) == ("kari@firma.no", "faktura@firma.no")
    assert set(errors(api.patch(path, {"type": None}))) == {"/type"}


def test_a_message_is_sent_with_nulls_for_what_it_need_not_have(api: Api) -> None:
    account = api.add_connected_account()
    nulls = ("cc", "bcc", "reply_to", "html", "headers", "send_at", "expires_at", "on_uncertain")
    file = {"filename": "a.pdf", "content": "JVBERg==", "content_type": None, "content_id": None}
    message = {
        **dict.fromkeys(nulls),
        "to": [{"name": None, "address": "ola@kunde.no"}],
        "subject": "Hei",
        "text": "Hei",
        "attachments": [file],
    }

    sent = api.post(f"/accounts/{account['id']}/messages", message, prefer="wait=10")

    assert (sent.status, sent.json["status"]) == (200, "sent"), sent.text


def test_a_settlement_by_null_is_none(api: Api) -> None:
    account = api.add_account()
    message = api.post(
        f"/accounts/{account['id']}/messages", {"to": ["ola@kunde.no"], "text": "Hei"}
    ).json
    path = f"/accounts/{account['id']}/messages/{message['id']}/resolve"

    assert errors(api.post(path, {"as": None})) == {"/as": "is missing"}
