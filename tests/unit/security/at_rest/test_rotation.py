"""Wrapped keys go to the newest epoch, whenever the rotation is cut off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.at_rest import Vault
from security.at_rest.key_ring import SETTLED_MS, KeyRing
from security.at_rest.rotation import (
    BATCH,
    WrappedKey,
    add_epoch,
    destroy_epoch,
    rewrap,
    take_census,
)
from security.at_rest.vault import epoch_of
from security.errors import KeyRotationError

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_MS = 1_793_500_000_000


class CutError(Exception):
    """The machine stops."""


@dataclass(slots=True)
class Ledger:
    """A ledger of wrapped keys in memory, with transactions that can be cut off."""

    rows: dict[str, bytes] = field(default_factory=dict)
    name: str = "segment.wrapped_key"
    transactions_left: int = 1 << 30

    def older(self, newest: int, limit: int) -> Sequence[WrappedKey]:
        found = [
            WrappedKey(row=(name,), wrapped=wrapped, context=f"segment/{name}")
            for name, wrapped in self.rows.items()
            if epoch_of(wrapped) < newest
        ]
        return found[:limit]

    def replace(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> None:
        if not self.transactions_left:
            raise CutError
        self.transactions_left -= 1
        for old, fresh in keys:
            if self.rows.get(old.row[0]) == old.wrapped:
                self.rows[old.row[0]] = fresh

    def census(self) -> tuple[str, dict[int, int]]:
        counts: dict[int, int] = {}
        for wrapped in self.rows.values():
            counts[epoch_of(wrapped)] = counts.get(epoch_of(wrapped), 0) + 1
        return self.name, counts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Vault.create(tmp_path / "node.key")
    return tmp_path / "node.key"


def ledger(vault: Vault, count: int) -> tuple[Ledger, dict[str, bytes]]:
    keys = {f"s{number}": number.to_bytes(32) for number in range(count)}
    rows = {name: vault.wrap(key, f"segment/{name}") for name, key in keys.items()}
    return Ledger(rows), keys


def test_every_key_is_wrapped_anew_and_stays_the_same(path: Path) -> None:
    held, keys = ledger(Vault.load(path), 2 * BATCH + 1)

    assert add_epoch(path, AT_MS) == 1
    vault = Vault.load(path)
    assert rewrap([held], vault) == {held.name: len(keys)}

    assert {name: vault.unwrap(held.rows[name], f"segment/{name}") for name in keys} == keys
    assert held.census() == (held.name, {1: len(keys)})
    assert rewrap([held], vault) == {held.name: 0}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(1, 3 * BATCH))
def test_a_rotation_that_is_cut_off_goes_on(cuts: list[int], count: int) -> None:
    """Whatever was cut off when, every key opens, and the last run ends it."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "node.key"
        held, keys = ledger(Vault.create(path), count)
        for transactions in cuts:
            add_epoch(path, AT_MS)
            held.transactions_left = transactions
            with suppress(CutError):
                rewrap([held], Vault.load(path))
            vault = Vault.load(path)
            for name, key in keys.items():
                assert vault.unwrap(held.rows[name], f"segment/{name}") == key
        held.transactions_left = 1 << 30
        rewrap([held], Vault.load(path))
        assert held.census() == (held.name, {len(cuts): count})


def test_a_key_that_does_not_open_stops_the_rotation_by_name(path: Path) -> None:
    held, _ = ledger(Vault.load(path), 3)
    held.rows["s1"] = held.rows["s2"]
    add_epoch(path, AT_MS)

    with pytest.raises(KeyRotationError, match=r"segment\.wrapped_key does not open.*segment/s1"):
        rewrap([held], Vault.load(path))


def test_an_epoch_goes_only_when_nothing_is_left_of_it(path: Path) -> None:
    held, keys = ledger(Vault.load(path), 3)
    add_epoch(path, AT_MS)
    later = AT_MS + SETTLED_MS
    sealed = ("finding.body", {0: 2})

    with pytest.raises(KeyRotationError, match=r"5 values .*body 2, segment\.wrapped_key 3"):
        destroy_epoch(path, 0, take_census([held.census()], [sealed]), later)
    rewrap([held], Vault.load(path))
    with pytest.raises(KeyRotationError, match="2 values still stand under epoch 0"):
        destroy_epoch(path, 0, take_census([held.census()], [sealed]), later)
    with pytest.raises(KeyRotationError, match="younger than an hour"):
        destroy_epoch(path, 0, take_census([held.census()], []), later - 1)
    destroy_epoch(path, 0, take_census([held.census()], []), later)

    assert [one.epoch for one in KeyRing.load(path).keys] == [1]
    vault = Vault.load(path)
    assert {name: vault.unwrap(held.rows[name], f"segment/{name}") for name in keys} == keys
