"""Proof files of a hub: deliveries that members acknowledged, and forks they signed.

Rules:
    1. A file carries what was signed, as it came, and the certificates to judge it by; the trust
       anchor is the reader's own (``deploy/docs/exchange-proofs.md``).
    2. Delivered envelopes follow their signed heads newest first, so that each one's hash is named
       by what stands before it in the file.
    3. What retention emptied is named by its hash alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select, tuple_

from hub.errors import ConfigurationError
from hub.store import collected_heads, members
from hub.store.revocation_lists import current_list
from hub.store.tables import envelope, refusal
from protos.yixin.v1 import envelope_pb2
from security.chain import GENESIS, ChainPosition
from security.envelope import parse_envelope
from security.errors import UntrustedEnvelopeError
from security.exchange.tables import outbox
from security.headers import parse_header
from security.moments import to_ms
from security.progress import ProgressReporter, no_progress
from security.proof_files import (
    DeliveredProof,
    ForkProof,
    HeadsProof,
    ProofHead,
    ProofKind,
    write_proofs,
)

__all__ = ["ExportedProofs", "export_deliveries", "export_forks"]

REPORT_EVERY: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedProofs:
    """What was written.

    Attributes:
        file: The file.
        member: Member id of the other party.
        proofs: Number of proofs: envelopes delivered, or forks.
    """

    file: str
    member: str
    proofs: int


def export_deliveries(
    connection: Connection,
    hub: str,
    member: str,
    out: Path,
    *,
    now: datetime,
    progress: ProgressReporter = no_progress,
) -> ExportedProofs:
    """Write every delivery that a member acknowledged.

    Args:
        connection: A connection that reads.
        hub: Member id of this hub.
        member: Member id of the recipient.
        out: The new file.
        now: Present moment, UTC-aware.
        progress: Told the envelopes written.

    Raises:
        ConfigurationError: The register does not hold the member.
        KeyFileError: The file cannot be written.
    """
    _verify_known(connection, member)
    written = 0

    def proofs() -> Iterator[HeadsProof | DeliveredProof]:
        nonlocal written
        before: dict[int, ChainPosition] = {}
        for held in collected_heads.list_heads(connection, member):
            yield HeadsProof(heads=held.heads, lane=held.lane)
            after = before.get(held.lane, GENESIS)
            for delivered in _delivered(connection, member, held.lane, after, held.position):
                yield delivered
                written += 1
                if written % REPORT_EVERY == 0:
                    progress("exporting", written, 0, "envelopes")
            before[held.lane] = held.position

    write_proofs(out, _head(connection, ProofKind.DELIVERIES, hub, member, now), proofs())
    return ExportedProofs(file=str(out), member=member, proofs=written)


def export_forks(
    connection: Connection, hub: str, member: str, out: Path, *, now: datetime
) -> ExportedProofs:
    """Write every fork that a member signed.

    Args:
        connection: A connection that reads.
        hub: Member id of this hub.
        member: Member id of the sender.
        out: The new file.
        now: Present moment, UTC-aware.

    Raises:
        ConfigurationError: The register does not hold the member.
        KeyFileError: The file cannot be written.
    """
    _verify_known(connection, member)
    head = _head(connection, ProofKind.FORKS, hub, member, now)
    count = write_proofs(out, head, _forks(connection, member))
    return ExportedProofs(file=str(out), member=member, proofs=count)


def _verify_known(connection: Connection, member: str) -> None:
    if members.find_member(connection, member) is None:
        raise ConfigurationError(
            f"Found no member {member[:96]!r}; list them with `yixin hub members`."
        )


def _head(
    connection: Connection, kind: ProofKind, hub: str, member: str, now: datetime
) -> ProofHead:
    revoked = current_list(connection)
    return ProofHead(
        kind=kind,
        hub=hub,
        member=member,
        made_at_ms=to_ms(now),
        certificates=collected_heads.certificates_of(connection, hub, member),
        revocations=revoked.SerializeToString(deterministic=True) if revoked else b"",
    )


def _delivered(
    connection: Connection, member: str, lane: int, after: ChainPosition, head: ChainPosition
) -> Iterator[DeliveredProof]:
    """Envelopes of a downlink after a place up to a head, newest first."""
    here = tuple_(outbox.c.incarnation, outbox.c.seq)
    query = (
        select(outbox.c.hash, outbox.c.envelope)
        .where(
            outbox.c.recipient == member,
            outbox.c.lane == lane,
            here > tuple_(after.incarnation, after.seq),
            here <= tuple_(head.incarnation, head.seq),
        )
        .order_by(outbox.c.incarnation.desc(), outbox.c.seq.desc())
        .execution_options(yield_per=16)
    )
    with connection.execute(query) as result:
        for row in result:
            yield DeliveredProof(
                hash=bytes(row.hash), envelope=None if row.envelope is None else bytes(row.envelope)
            )


def _forks(connection: Connection, member: str) -> Iterator[ForkProof]:
    query = (
        select(refusal.c.evidence, refusal.c.at_ms)
        .where(refusal.c.peer == member, refusal.c.evidence.is_not(None))
        .order_by(refusal.c.id)
    )
    for row in connection.execute(query):
        try:
            header = parse_header(parse_envelope(row.evidence))
        except UntrustedEnvelopeError:
            continue  # Emptied after its retention.
        first = _contradicted(connection, header)
        if first is not None:
            yield ForkProof(first=first, second=bytes(row.evidence), refused_at_ms=row.at_ms)


def _contradicted(connection: Connection, header: envelope_pb2.EnvelopeHeader) -> bytes | None:
    """The envelope that was taken and that another one contradicts.

    It stands at the other's own place; or, where nothing does, at the place that the other one
    continues.
    """
    if header.seq > 1:
        before = (header.incarnation, header.seq - 1)
    else:
        before = (header.cited_incarnation, header.cited_seq)
    for incarnation, seq in ((header.incarnation, header.seq), before):
        query = select(envelope.c.raw).where(
            envelope.c.sender == header.sender,
            envelope.c.lane == header.lane,
            envelope.c.incarnation == incarnation,
            envelope.c.seq == seq,
        )
        found = connection.execute(query).scalar()
        if found:
            return bytes(found)
    return None
