"""The connect checks over HTTP: each names what it tried, the sender too."""

from tests.client import Api


def test_a_sender_that_exchange_does_not_take_fails_its_check(api: Api) -> None:
    account = api.add_connected_account()
    path = f"/accounts/{account['id']}/verify"
    refusal = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
    api.standins.exchange.reply_next("mail", refusal)

    refused = api.post(path).json
    taken = api.post(path).json

    [sender] = [one for one in refused["checks"] if one["name"] == "sender"]
    assert (refused["ok"], sender["status"]) == (False, "fail")
    assert sender["problem"]["code"].startswith("send-as")
    assert [one["status"] for one in taken["checks"]] == ["pass"] * 6
    assert api.standins.exchange.delivered == []
