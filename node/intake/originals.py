"""Settlements that reversals take back: in the store, and in the batch at hand."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from node.store import LedgerRow, MessageKey, NodeStore

__all__ = ["Originals", "Settlement"]

Settlement = Mapping[str, object]
"""Column → value of one settlement."""


class Originals:
    """Finds settlements, and which of them were taken back or never counted."""

    def __init__(
        self,
        store: NodeStore,
        tables: Sequence[pa.Table],
        messages: Sequence[LedgerRow],
        taken_back: Sequence[str],
    ) -> None:
        """Look at a store and a batch.

        Args:
            store: The store.
            tables: Settlements of the batch.
            messages: Messages of the batch.
            taken_back: Settlements (setl_id) that the batch takes back.
        """
        self._store = store
        self._tables = tables
        self._messages = messages
        self._taken_back = taken_back

    def by_setl_id(self, setl_ids: Sequence[str]) -> dict[str, Settlement]:
        """Find settlements by their setl_id; absent ones are left out."""
        return self._find("setl_id", setl_ids)

    def by_msgid(self, msgids: Sequence[str]) -> dict[str, Settlement]:
        """Find settlements by their message's id; absent ones are left out."""
        return self._find("record_id", msgids)

    def taken_back(self, setl_ids: Sequence[str]) -> set[str]:
        """Find which of some settlements a reversal took back already."""
        return self._store.taken_back(setl_ids) | set(self._taken_back).intersection(setl_ids)

    def not_accepted(self, keys: Collection[MessageKey]) -> set[MessageKey]:
        """Find which of some messages the platform did not accept: they never counted."""
        rows = [*self._store.known_messages(sorted(keys)).values(), *self._messages]
        return {row.key for row in rows if row.accepted is False and row.key in keys}

    def _find(
        self, key: Literal["setl_id", "record_id"], wanted: Sequence[str]
    ) -> dict[str, Settlement]:
        if not wanted:
            return {}
        found: dict[str, Settlement] = dict(self._store.find_settlements(key, wanted))
        asked = pa.array(wanted, pa.string())
        for table in self._tables:
            for row in table.filter(pc.is_in(table.column(key), value_set=asked)).to_pylist():
                if row["sign"] == 1:
                    found[row[key]] = row
        return found
