"""The table as our own client speaks to it, checked against Azurite and Microsoft's client."""

import pytest
from azure.data.tables import TableClient

from shared.secrecy import Secret
from shared.store.table import (
    Kind,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Write,
)

VALUES = {
    "text": 'Blåbær & Sønner\'s "ål" \u2013 \U0001f41f',
    "empty": "",
    "number": 7,
    "truth": True,
    "bytes": bytes(range(256)),
    "nothing": b"",
}


def test_what_was_written_is_what_is_read(table: Table) -> None:
    table.commit("p", [Write(Kind.INSERT, "outbox:17:æ'%", VALUES)])

    found = table.get("p", "outbox:17:æ'%")

    assert found is not None
    row, etag = found
    assert row == {"PartitionKey": "p", "RowKey": "outbox:17:æ'%", **VALUES}
    assert etag.startswith('W/"')


def test_microsofts_client_reads_the_same(table: Table, account: Secret) -> None:
    table.commit("p", [Write(Kind.INSERT, "r", VALUES)])

    with TableClient.from_connection_string(account.reveal(), table._name) as client:
        found = client.get_entity("p", "r")

    assert {name: found[name] for name in VALUES} == VALUES
    assert {name: type(found[name]) for name in VALUES} == {n: type(v) for n, v in VALUES.items()}


def test_an_etag_of_a_commit_holds_for_the_next_one(table: Table) -> None:
    (etag,) = table.commit("p", [Write(Kind.INSERT, "r", {"n": 1})])
    (etag,) = table.commit("p", [Write(Kind.MERGE, "r", {"n": 2}, etag)])

    removed = table.commit("p", [Write(Kind.DELETE, "r", {}, etag)])

    assert removed == [""]
    assert table.get("p", "r") is None


def test_merge_keeps_what_it_does_not_name_and_replace_does_not(table: Table) -> None:
    table.commit(
        "p", [Write(Kind.INSERT, "a", {"n": 1, "m": 1}), Write(Kind.UPSERT, "b", {"n": 1})]
    )

    table.commit("p", [Write(Kind.MERGE, "a", {"n": 2}), Write(Kind.REPLACE, "b", {"m": 2})])

    rows = table.range("p", "a", "c")
    assert [(row.get("n"), row.get("m")) for row in rows] == [(2, 1), (None, 2)]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (Write(Kind.INSERT, "there", {}), RowExistsError),
        (Write(Kind.MERGE, "gone", {}), RowMissingError),
        (Write(Kind.DELETE, "gone", {}), RowMissingError),
        (
            Write(Kind.MERGE, "there", {}, "W/\"datetime'2020-01-01T00%3A00%3A00Z'\""),
            RowChangedError,
        ),
    ],
)
def test_a_conflict_names_the_write_and_undoes_them_all(
    table: Table, wrong: Write, expected: type[Exception]
) -> None:
    table.commit("p", [Write(Kind.INSERT, "there", {"n": 1})])

    with pytest.raises(expected, match="write 1"):
        table.commit("p", [Write(Kind.INSERT, "new", {}), wrong])

    assert table.get("p", "new") is None


def test_a_range_goes_past_the_first_page_and_stops_at_its_limit(table: Table) -> None:
    for start in range(0, 1_100, 100):
        rows = [Write(Kind.INSERT, f"r{n:05d}", {"n": n}) for n in range(start, start + 100)]
        table.commit("p", rows)

    assert [row["n"] for row in table.range("p", "r", "s", select=["n"])] == list(range(1_100))
    assert len(table.range("p", "r", "s", limit=1_050)) == 1_050
    assert [row["n"] for row in table.range("p", "r00007", "r00009")] == [7, 8]


def test_what_is_not_there_is_empty_or_nothing(table: Table) -> None:
    assert table.get("p", "r") is None
    assert table.range("p", "!", "~") == []
    assert table.is_reachable()
