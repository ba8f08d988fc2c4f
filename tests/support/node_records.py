"""Fee details of one visit, as an intake hands them to the store."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import pyarrow as pa

from node.store import NodeStore
from tests.support import node_messages as m

__all__ = ["FeeRow", "fee_details", "kept_fees", "sent"]

VISIT: Final = "330302G0000000100001"
FeeRow: TypeAlias = tuple[str, str, int]
"""Record id, line, fen."""


def sent(number: int, line: str = "") -> str:
    """Record id of a line of a message, by the message's number."""
    return f"{m.HOSPITAL}20260318095039{number:04d}{line}"


def kept_fees(store: NodeStore) -> list[FeeRow]:
    """Read what counts."""
    rows = m.rows_of(store, "fee_detail")
    return sorted((row["record_id"], row["line"], row["amount_fen"]) for row in rows)


def fee_details(
    store: NodeStore, rows: Sequence[FeeRow], *, months: Sequence[int] = ()
) -> pa.Table:
    """Make fee details, each of its month; all of March 2026 by default."""
    size = len(rows)
    given = {
        "record_id": [row[0] for row in rows],
        "institution": [m.HOSPITAL] * size,
        "month": list(months) or [202603] * size,
        "line": [row[1] for row in rows],
        "mdtrt_id": [VISIT] * size,
        "person": [m.PERSON] * size,
        "occurred_at": pa.array([1_773_800_000] * size, pa.int64()).cast(pa.timestamp("s")),
        "item_code": ["X"] * size,
        "local_code": [""] * size,
        "amount_fen": [row[2] for row in rows],
        "quantity_e4": [10_000] * size,
        "price_e6": [1] * size,
    }
    schema = store.schemas["fee_detail"]
    return pa.table(
        [
            pa.array(given[name], schema.field(name).type)
            if name in given
            else pa.nulls(size, schema.field(name).type)
            for name in schema.names
        ],
        schema=schema,
    )
