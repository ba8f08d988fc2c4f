"""Audit export: the evidence of a range of the hub's log, for an auditor without keys.

Rules of this module: every leaf of the range goes in, so that omissions show; a period limits
envelopes and receipts, never leaves; everything is read from one snapshot and streamed.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from hub.errors import AuditExportError
from hub.exchange.audit_parts import AuditParts, confirmed_size, pack_files
from hub.store import audit_rows, deliveries, envelopes, log, members
from hub.store.certifying import own_keys
from hub.store.engine import reading
from hub.store.identity import HubIdentity
from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import BundleParts, Manifest, write_bundle
from security.moments import to_ms
from security.progress import ProgressReporter

CHUNK: Final = 500
_RECEIVED: Final = transparency_pb2.LOG_KIND_ENVELOPE
_SEALED: Final = transparency_pb2.LOG_KIND_DELIVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRange:
    """What to export; the whole log by default.

    Attributes:
        period: Rating period to limit envelopes and receipts to; also gives the range when no
            index is named.
        from_index: First log index.
        to_index: Log index after the last.
        prove_from: Sizes of checkpoints that the auditor saw, to be proved from.
        packs: The hub's copy of the packs' repository; None for none.
        quorum: Witnesses that must have confirmed the log up to the end, where none is named.
    """

    period: str | None = None
    from_index: int | None = None
    to_index: int | None = None
    prove_from: tuple[int, ...] = ()
    packs: Path | None = None
    quorum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExport:
    """What was exported."""

    file: str
    """Where the bundle is."""
    from_index: int
    """First log index."""
    to_index: int
    """Log index after the last."""
    envelopes: int
    """Envelopes received and sealed."""
    receipts: int
    """Receipts."""
    certificates: int
    """Key certificates."""
    publications: int
    """Publications with their statements."""


def export_audit(
    engine: Engine,
    identity: HubIdentity,
    path: Path,
    wanted: AuditRange,
    *,
    now: datetime,
    progress: ProgressReporter,
) -> AuditExport:
    """Write a bundle.

    Args:
        engine: The hub's database.
        identity: The hub; it signs the checkpoint.
        path: A new directory, or a file whose name ends in ``.zip``.
        wanted: What to export.
        now: Present moment, UTC-aware.
        progress: Takes the number of envelopes written.

    Raises:
        AuditExportError: The range lies outside the log, or the period has no leaf.
        AuditInputError: The path is already there or cannot be written.
    """
    own_keys(engine, identity, to_ms(now))
    with reading(engine) as connection:
        first, end = _range(connection, wanted, identity)
        period = wanted.period or ""
        parts = AuditParts(
            connection=connection, identity=identity, first=first, end=end, period=period
        )
        source = _Source(
            connection=connection, first=first, end=end, period=period, progress=progress
        )
        counts = write_bundle(
            path,
            BundleParts(
                manifest=Manifest(
                    hub=identity.hub,
                    from_index=first,
                    to_index=end,
                    period=period,
                    created=now.isoformat(timespec="seconds"),
                ),
                frontier=log.frontier_before(connection, first).to_bytes(),
                checkpoint=parts.own_checkpoint(),
                certificates=itertools.chain(
                    (row.certificate for row in members.certificates(connection)),
                    deliveries.carried_keys(connection, identity.hub),
                ),
                leaves=(leaf.leaf for leaf in log.leaves(connection, first, end)),
                envelopes=source.envelopes(),
                receipts=source.receipts(),
                publications=parts.publications(),
                revocations=audit_rows.revocation_lists(connection),
                policies=parts.policies(),
                agreements=parts.agreements(),
                operations=audit_rows.operations(connection, first, end),
                earlier=parts.other_checkpoints(wanted.prove_from),
                emptied=parts.emptied_later(),
                prior=parts.prior_agreements(),
                packs=pack_files(wanted.packs) if wanted.packs else (),
            ),
        )
    return AuditExport(
        file=str(path),
        from_index=first,
        to_index=end,
        envelopes=counts["envelopes.pb"],
        receipts=counts["receipts.pb"],
        certificates=counts["certificates.pb"],
        publications=sum(name.startswith("publications/") for name in counts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Streams envelopes and receipts of a range, chunk by chunk."""

    connection: Connection
    first: int
    end: int
    period: str
    progress: ProgressReporter

    def envelopes(self) -> Iterator[bytes]:
        """Envelopes received and sealed, in leaf order; without those that retention emptied."""
        done = 0
        for chunk in self._chunks(frozenset({_RECEIVED, _SEALED})):
            raw = envelopes.load_raw(self.connection, chunk)
            for log_index in chunk:
                if raw[log_index]:
                    yield raw[log_index]
            done += len(chunk)
            self.progress("exporting", done, 0, "envelopes")

    def receipts(self) -> Iterator[bytes]:
        """Receipts of the envelopes received, in leaf order."""
        for chunk in self._chunks(frozenset({_RECEIVED})):
            found = envelopes.load_receipts(self.connection, chunk)
            for log_index in chunk:
                yield found[log_index].SerializeToString(deterministic=True)

    def _chunks(self, kinds: frozenset[int]) -> Iterator[list[int]]:
        chunk: list[int] = []
        for leaf in log.leaves(self.connection, self.first, self.end):
            if leaf.kind in kinds and self.period in {"", leaf.period}:
                chunk.append(leaf.log_index)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def _range(connection: Connection, wanted: AuditRange, identity: HubIdentity) -> tuple[int, int]:
    size = log.size(connection)
    first, end = wanted.from_index or 0, wanted.to_index
    if end is None:
        confirmed = confirmed_size(connection, identity, wanted.quorum)
        end = size if confirmed is None or confirmed < first else confirmed
    if wanted.period is not None and wanted.from_index is None and wanted.to_index is None:
        found = log.period_range(connection, wanted.period)
        if found is None:
            raise AuditExportError(
                f"The log holds nothing of period {wanted.period[:16]!r}; choose another period, "
                "or leave it out to export the whole log."
            )
        first, end = found
    if any(not 0 <= one <= size for one in wanted.prove_from):
        raise AuditExportError(
            f"A checkpoint to prove from lies beyond the log of {size} leaves: whoever saw it saw "
            "leaves that this log does not hold. Run `yixin hub log status`."
        )
    if not 0 <= first <= end <= size:
        raise AuditExportError(
            f"The range from {first} to {end} lies outside the log of {size} leaves; "
            "choose indexes within it."
        )
    return first, end
