"""Sealing: whole or not at all, for one purpose, until its time, over rotations."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.standins.key_vault import KeyVault
from shared.errors import ServiceError
from shared.sealing import Seal, SealBrokenError, SealExpiredError, SealingKey
from shared.secrecy import Secret
from shared.store.vault import Vault

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=30)


class Keys:
    """Sealing keys in memory, with the times a vault would note."""

    def __init__(self) -> None:
        self.keys: list[SealingKey] = []
        self.reads = 0
        self.moment = NOW

    def live_sealing_keys(self) -> list[SealingKey]:
        self.reads += 1
        return list(self.keys)

    def add_sealing_key(self, key: Secret) -> None:
        self.keys.insert(0, SealingKey(f"{len(self.keys):032x}", key, self.moment))

    def retire_sealing_key(self, version: str) -> None:
        self.keys = [key for key in self.keys if key.version != version]


class Away(Keys):
    """A vault that does not answer while it is *away*."""

    away = False

    def live_sealing_keys(self) -> list[SealingKey]:
        found = super().live_sealing_keys()
        if self.away:
            raise ServiceError("vault-unavailable")
        return found


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_what_was_sealed_opens_whole() -> None:
    seal = Seal(Keys())

    text = seal.seal("ticket", {"account": "01æøå", "n": [1, None]}, expires=SOON).reveal()

    assert seal.open("ticket", text, now=NOW) == {"account": "01æøå", "n": [1, None]}


def test_a_seal_shows_nothing_of_what_is_in_it() -> None:
    seal = Seal(Keys())

    text = seal.seal("ticket", {"username": "kari@firma.no"}, expires=SOON)

    assert "kari" not in text.reveal()
    assert "kari" not in repr(text)


def test_a_seal_for_one_purpose_is_broken_for_another() -> None:
    seal = Seal(Keys())
    text = seal.seal("admin", {"account": "1"}, expires=SOON).reveal()

    with pytest.raises(SealBrokenError):
        seal.open("ticket", text, now=NOW)


def test_a_seal_ends_when_it_says() -> None:
    seal = Seal(Keys())
    text = seal.seal("ticket", {}, expires=SOON).reveal()

    assert seal.open("ticket", text, now=SOON - timedelta(seconds=1)) == {}
    with pytest.raises(SealExpiredError):
        seal.open("ticket", text, now=SOON)


def test_every_changed_character_breaks_it() -> None:
    seal = Seal(Keys())
    text = seal.seal("ticket", {"account": "1"}, expires=SOON).reveal()

    for place, was in enumerate(text):
        changed = text[:place] + ("A" if was != "A" else "B") + text[place + 1 :]
        with pytest.raises(SealBrokenError):
            seal.open("ticket", changed, now=NOW)


_SEAL = Seal(Keys())


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_no_text_of_a_stranger_opens_or_breaks_anything_else(text: str) -> None:
    with pytest.raises(SealBrokenError):
        _SEAL.open("ticket", text, now=NOW)


def test_another_vaults_seal_does_not_open() -> None:
    text = Seal(Keys()).seal("ticket", {}, expires=SOON).reveal()

    with pytest.raises(SealBrokenError):
        Seal(Keys()).open("ticket", text, now=NOW)


def test_strangers_keys_are_looked_up_once_a_second_at_most() -> None:
    keys, clock = Keys(), Clock()
    seal = Seal(keys, clock=clock)
    seal.seal("ticket", {}, expires=SOON)
    before = keys.reads

    for number in range(500):
        with pytest.raises(SealBrokenError):
            seal.open("ticket", f"{number:032x}f.{'A' * 60}", now=NOW)
        clock.seconds += 0.01

    assert keys.reads - before <= 5


def test_a_vault_that_just_failed_is_not_waited_for_by_everybody() -> None:
    keys, clock = Away(), Clock()
    keys.away = True
    seal = Seal(keys, clock=clock)

    for _ in range(100):
        with pytest.raises(ServiceError, match="vault-unavailable"):
            seal.seal("admin", {}, expires=SOON)
    clock.seconds += 2
    keys.away = False

    assert seal.seal("admin", {}, expires=SOON)
    assert keys.reads == 1 + 2  # once in vain; then the key that it made is read back


def test_a_rotation_breaks_no_running_flow_anywhere() -> None:
    keys, clock = Keys(), Clock()
    here, there = Seal(keys, clock=clock), Seal(keys, clock=clock)
    old = here.seal("flow", {"n": 1}, expires=NOW + timedelta(days=90)).reveal()
    there.open("flow", old, now=NOW)
    keys.moment = later = NOW + timedelta(days=31)
    clock.seconds += 5

    assert here.rotate(later)
    new = here.seal("flow", {"n": 2}, expires=later + timedelta(minutes=15)).reveal()

    assert new.split(".")[0] != old.split(".")[0]
    assert here.open("flow", old, now=later) == {"n": 1}
    assert there.open("flow", new, now=later) == {"n": 2}, "an unknown key is looked up"
    assert there.open("flow", old, now=later) == {"n": 1}


def test_after_two_rotations_the_first_key_is_dead() -> None:
    keys, clock = Keys(), Clock()
    seal = Seal(keys, clock=clock)
    old = seal.seal("admin", {}, expires=NOW + timedelta(days=900)).reveal()

    for days in (31, 62):
        keys.moment = NOW + timedelta(days=days)
        seal.rotate(keys.moment)

    assert len(keys.keys) == 2
    with pytest.raises(SealBrokenError):
        seal.open("admin", old, now=keys.moment)


def test_a_young_key_is_not_rotated() -> None:
    keys = Keys()
    seal = Seal(keys)
    seal.seal("ticket", {}, expires=SOON)

    assert not seal.rotate(NOW + timedelta(days=29))
    assert len(keys.keys) == 1


def test_two_processes_that_both_make_the_first_key_understand_each_other(vault: Vault) -> None:
    one, other = Seal(vault), Seal(vault)
    first = one.seal("ticket", {"n": 1}, expires=SOON).reveal()
    vault.add_sealing_key(Secret("A" * 43))  # the other process saw no key and made one as well

    second = other.seal("ticket", {"n": 2}, expires=SOON).reveal()

    assert other.open("ticket", first, now=NOW) == {"n": 1}
    assert Seal(vault).open("ticket", second, now=NOW) == {"n": 2}


def test_the_key_in_the_vault_is_32_random_bytes(seal: Seal, key_vault: KeyVault) -> None:
    seal.seal("ticket", {}, expires=SOON)

    [value] = key_vault.values("sealing-key")
    assert len(value) == 43


def test_a_retired_key_is_disabled_in_the_vault(vault: Vault, key_vault: KeyVault) -> None:
    vault.add_sealing_key(Secret("A" * 43))
    [key] = vault.live_sealing_keys()

    vault.retire_sealing_key(key.version)

    assert vault.live_sealing_keys() == []
    assert [version["enabled"] for version in key_vault.describe("sealing-key")] == [False]


def test_no_key_of_many_first_ones_goes_while_it_is_in_use() -> None:
    keys = Keys()
    seal = Seal(keys)
    texts = []
    for number in range(4):  # four processes that all saw no key
        keys.add_sealing_key(Secret(f"{number}" + "A" * 42))
        texts.append(Seal(keys).seal("ticket", {"n": number}, expires=SOON).reveal())

    seal.rotate(NOW + timedelta(minutes=1))

    assert [seal.open("ticket", text, now=NOW)["n"] for text in texts] == [0, 1, 2, 3]
    keys.moment = NOW + timedelta(days=30)
    seal.rotate(keys.moment)
    assert len(keys.keys) == 2, "a month later only the newest of them is left, with its successor"


def test_a_key_that_another_process_made_just_now_is_found() -> None:
    keys, clock = Keys(), Clock()
    here, there = Seal(keys, clock=clock), Seal(keys, clock=clock)
    here.seal("ticket", {}, expires=SOON)
    keys.add_sealing_key(Secret("A" * 43))
    clock.seconds += 0.1

    text = there.seal("ticket", {"n": 1}, expires=SOON).reveal()

    assert here.open("ticket", text, now=NOW) == {"n": 1}
