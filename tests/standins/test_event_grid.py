"""The Event Grid topic, as the real publisher client speaks to it."""

from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient
from azure.identity import ManagedIdentityCredential

from local.standins import Stack


def event(subject: str) -> CloudEvent[dict[str, str]]:
    return CloudEvent("https://mail.example", "mail.sent", subject=subject, data={"id": "1"})


def test_events_arrive_in_order(standins: Stack, credential: ManagedIdentityCredential) -> None:
    endpoint = standins.settings()["EVENT_GRID_ENDPOINT"]
    with EventGridPublisherClient(endpoint, credential) as publisher:
        publisher.send([event("/accounts/1"), event("/accounts/2")])

    assert [e["subject"] for e in standins.event_grid.published()] == [
        "/accounts/1",
        "/accounts/2",
    ]
    assert standins.event_grid.published("/accounts/2")[0]["data"] == {"id": "1"}


def test_a_throttled_publisher_tries_again(
    standins: Stack, credential: ManagedIdentityCredential
) -> None:
    standins.event_grid.throttle()
    endpoint = standins.settings()["EVENT_GRID_ENDPOINT"]
    with EventGridPublisherClient(endpoint, credential) as publisher:
        publisher.send([event("/accounts/1")])
    assert len(standins.event_grid.published()) == 1
    assert standins.event_grid.counts()["api/events 429"] == 1
