"""Salts: made again from a secret, gone with it."""

import sqlite3

import numpy as np
import pytest

from node.errors import StoreError
from node.store.salts import SALT_TABLES, Salts
from security.at_rest import Vault
from security.errors import VaultError

VAULT = Vault(bytes(32))
MONTHS = np.array([202601, 202602, 202601, 202601], np.int32)


@pytest.fixture
def connection() -> sqlite3.Connection:
    found = sqlite3.connect(":memory:", isolation_level=None)
    for statement in SALT_TABLES:
        found.execute(statement)
    return found


def test_salts_are_made_again_by_place(connection: sqlite3.Connection) -> None:
    made = Salts(connection, VAULT).make("settlement", MONTHS, 7)
    again = Salts(connection, VAULT)
    assert made.shape == (4, 16)
    for offset, month in enumerate(MONTHS.tolist()):
        assert again.get("settlement", month, 7 + offset) == made[offset].tobytes()
    assert len({row.tobytes() for row in made}) == 4


def test_secrets_differ_by_kind_and_month(connection: sqlite3.Connection) -> None:
    salts = Salts(connection, VAULT)
    for kind in ("settlement", "admission"):
        salts.make(kind, MONTHS, 0)
    found = {
        salts.get(kind, month, 0)
        for kind in ("settlement", "admission")
        for month in (202601, 202602)
        if month == 202601
    }
    assert len(found) == 2
    assert connection.execute("select count(*) from salt").fetchone() == (4,)


def test_secrets_are_sealed_for_their_place(connection: sqlite3.Connection) -> None:
    Salts(connection, VAULT).make("settlement", MONTHS, 0)
    connection.execute("update salt set kind = 'admission'")
    with pytest.raises(VaultError, match="belongs to another place"):
        Salts(connection, VAULT).get("admission", 202601, 0)


def test_a_forgotten_month_has_no_salt_and_others_keep_theirs(
    connection: sqlite3.Connection,
) -> None:
    salts = Salts(connection, VAULT)
    made = salts.make("settlement", MONTHS, 0)
    assert salts.forget("settlement", 202601)
    assert not salts.forget("settlement", 202601)
    with pytest.raises(StoreError, match="leaf 0 of settlement in 202601 has no salt any more"):
        salts.get("settlement", 202601, 0)
    assert salts.get("settlement", 202602, 1) == made[1].tobytes()


def test_a_new_secret_does_not_reach_back(connection: sqlite3.Connection) -> None:
    salts = Salts(connection, VAULT)
    before = salts.make("settlement", MONTHS[:1], 0)
    salts.forget("settlement", 202601)
    after = salts.make("settlement", MONTHS[:1], 1)
    with pytest.raises(StoreError, match="no salt any more"):
        salts.get("settlement", 202601, 0)
    assert salts.get("settlement", 202601, 1) == after[0].tobytes() != before[0].tobytes()


def test_a_secret_that_was_rolled_back_is_not_used(connection: sqlite3.Connection) -> None:
    salts = Salts(connection, VAULT)
    connection.execute("begin")
    lost = salts.make("settlement", MONTHS[:1], 0)
    connection.execute("rollback")
    kept = salts.make("settlement", MONTHS[:1], 0)
    assert salts.get("settlement", 202601, 0) == kept[0].tobytes() != lost[0].tobytes()
