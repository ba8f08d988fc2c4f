"""Settlements that reversals take back: in the store, and in the batch at hand.

A sender takes back its own settlements only: ids are looked up with the institution.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from node.intake.layouts import LAYOUTS
from node.store import LedgerRow, MessageKey, NodeStore, SettlementKey

__all__ = ["Originals", "Settlement", "settlement_key", "settlement_keys"]

Settlement = Mapping[str, Any]
"""Column → value of one settlement."""


def settlement_key(row: Settlement) -> SettlementKey:
    """Give what a settlement is known by."""
    return SettlementKey(institution=row["institution"], setl_id=row["setl_id"])


def settlement_keys(table: pa.Table) -> list[SettlementKey]:
    """Give what settlements are known by."""
    return [settlement_key(row) for row in table.select(["institution", "setl_id"]).to_pylist()]


class Originals:
    """Finds settlements, and which of them were taken back or never counted."""

    def __init__(
        self,
        store: NodeStore,
        tables: Sequence[pa.Table],
        messages: Sequence[LedgerRow],
        taken_back: Sequence[SettlementKey],
    ) -> None:
        """Look at a store and a batch.

        Args:
            store: The store.
            tables: Settlements of the batch.
            messages: Messages of the batch.
            taken_back: Settlements that the batch takes back.
        """
        self._store = store
        self._tables = tables
        self._messages = messages
        self._taken_back = taken_back

    def by_setl_id(self, keys: Collection[SettlementKey]) -> dict[SettlementKey, Settlement]:
        """Find settlements by their setl_id; absent ones are left out."""
        rows = self._find("setl_id", {key.setl_id for key in keys})
        return {key: row for row in rows if (key := settlement_key(row)) in keys}

    def by_message(self, keys: Collection[MessageKey]) -> dict[MessageKey, Settlement]:
        """Find settlements by the message that made them; absent ones are left out."""
        rows = self._find("record_id", {key.msgid for key in keys})
        # Messages of two transactions may share a msgid; what they settled tells them apart.
        held = {(row["institution"], row["record_id"], row["inpatient"]): row for row in rows}
        places = {
            key: (key.institution, key.msgid, LAYOUTS[key.infno].inpatient)
            for key in keys
            if key.infno in LAYOUTS
        }
        return {key: held[place] for key, place in places.items() if place in held}

    def taken_back(self, keys: Sequence[SettlementKey]) -> set[SettlementKey]:
        """Find which of some settlements a reversal took back already."""
        return self._store.taken_back(keys) | set(self._taken_back).intersection(keys)

    def not_accepted(self, keys: Collection[MessageKey]) -> set[MessageKey]:
        """Find which of some messages the platform did not accept: they never counted."""
        rows = [*self._store.known_messages(sorted(keys)).values(), *self._messages]
        return {row.key for row in rows if row.accepted is False and row.key in keys}

    def _find(
        self, key: Literal["setl_id", "record_id"], wanted: Iterable[str]
    ) -> list[Settlement]:
        """Find settlements of any institution; those of the batch come last."""
        ids = sorted(wanted)
        if not ids:
            return []
        found: list[Settlement] = [*self._store.find_settlements(key, ids)]
        asked = pa.array(ids, pa.string())
        for table in self._tables:
            chosen = table.filter(pc.is_in(table.column(key), value_set=asked)).to_pylist()
            found += [row for row in chosen if row["sign"] == 1]
        return found
