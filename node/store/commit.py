"""One batch of an intake: everything it adds to the store, durable together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from node.domain.institutions import Institution
from node.store.ledger import LedgerRow
from node.store.quarantine import QuarantineRow

__all__ = ["Commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one batch adds."""

    messages: Sequence[LedgerRow] = ()
    """New messages, and those that their response completes."""
    pending: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Whole messages that wait for their response, by msgid; in clear."""
    completed: Sequence[str] = ()
    """Msgids that wait no longer."""
    records: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    """Records by kind."""
    taken_back: Sequence[str] = ()
    """Settlements (setl_id) that the batch's reversals take back; each only once ever."""
    quarantine: Sequence[QuarantineRow] = ()
    """Refused lines; their bodies are in clear and get sealed by the store."""
    contexts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What refused rows of mapped files were read with, by name; in clear."""
    released: Sequence[bytes] = ()
    """Digests of lines that went in after all."""
    institutions: Sequence[Institution] = ()
    """Foreign institutions met for the first time."""
