"""One batch of an intake: everything it adds to the store, durable together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import pyarrow as pa

from node.domain.institutions import Institution
from node.store.ledger import LedgerRow, MessageKey, SettlementKey
from node.store.presence_batch import PresenceBatch
from node.store.quarantine import QuarantineRow, body_label, context_label
from security.at_rest import Vault

__all__ = ["Commit", "Committed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one batch adds."""

    messages: Sequence[LedgerRow] = ()
    """New messages, and those that their response completes."""
    pending: Mapping[MessageKey, bytes] = field(default_factory=dict, repr=False)
    """Whole messages that wait for their response; in clear."""
    completed: Sequence[MessageKey] = ()
    """Messages that wait no longer."""
    records: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    """Records by kind, in the order they came."""
    taken_back: Sequence[SettlementKey] = ()
    """Settlements that the batch's reversals take back; each only once ever."""
    quarantine: Sequence[QuarantineRow] = ()
    """Refused lines; their bodies are in clear and get sealed by the store."""
    contexts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What refused rows of mapped files were read with, by name; in clear."""
    released: Sequence[bytes] = ()
    """Digests of lines that went in after all."""
    institutions: Sequence[Institution] = ()
    """Foreign institutions met for the first time."""
    presence: PresenceBatch | None = None
    """Events of a device with how far they bring its queue, or overrides; in clear."""

    def sealed(self, vault: Vault) -> Self:
        """The same batch with its messages, refused lines and their contexts sealed."""
        return replace(
            self,
            pending={
                key: vault.seal(body, f"pending:{key.msgid}") for key, body in self.pending.items()
            },
            quarantine=[
                row
                if row.body is None
                else replace(row, body=vault.seal(row.body, body_label(row.digest)))
                for row in self.quarantine
            ],
            contexts={
                name: vault.seal(body, context_label(name)) for name, body in self.contexts.items()
            },
            presence=None if self.presence is None else self.presence.sealed(vault),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of the records of one batch, by kind; kinds without any are left out."""

    added: Mapping[str, int]
    """Records under keys that were not there."""
    replaced: Mapping[str, int]
    """New versions of records that were there, or above in the batch."""
    unchanged: Mapping[str, int]
    """Records that were there already with the same values, or in a later message's version."""
    expired: Mapping[str, int]
    """Records of months that retention has deleted: they are not kept again."""
