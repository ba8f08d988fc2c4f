"""The node's store: what it acknowledged is durable, once, and sealed."""

from node.store.commit import Commit
from node.store.ledger import CSV_INFNO, LedgerRow, Standing, standing_of
from node.store.quarantine import QuarantineRow
from node.store.store import NodeStore, StoreCounts

__all__ = [
    "CSV_INFNO",
    "Commit",
    "LedgerRow",
    "NodeStore",
    "QuarantineRow",
    "Standing",
    "StoreCounts",
    "standing_of",
]
