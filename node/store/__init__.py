"""The node's store: what it acknowledged is durable, once, and sealed."""

from node.store.checkpoints import DayCheckpoint
from node.store.code_extensions import ImportedCode
from node.store.commit import Commit, Committed
from node.store.ledger import (
    LedgerRow,
    MessageKey,
    SettlementKey,
    Standing,
    standing_of,
)
from node.store.operator_log import LogEntry
from node.store.quarantine import MESSAGE_FORM, ROW_FORM, QuarantineFilter, QuarantineRow
from node.store.record_ledger import RecordProof, verify_record
from node.store.store import NodeStore, StoreCounts

__all__ = [
    "MESSAGE_FORM",
    "ROW_FORM",
    "Commit",
    "Committed",
    "DayCheckpoint",
    "ImportedCode",
    "LedgerRow",
    "LogEntry",
    "MessageKey",
    "NodeStore",
    "QuarantineFilter",
    "QuarantineRow",
    "RecordProof",
    "SettlementKey",
    "Standing",
    "StoreCounts",
    "standing_of",
    "verify_record",
]
