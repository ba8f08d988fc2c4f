"""What an audit bundle shows beside envelopes and receipts: publications, proofs, signed lists.

Rules of this module: everything is read inside the caller's transaction and streamed; nothing is
made that was not there before, except proofs and the hub's signature over its own log's root.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from hub.store import agreements, audit_rows, log, log_peers, policies, publications
from hub.store.audit_rows import EventLeaf
from hub.store.identity import HubIdentity
from hub.store.publications import PublicationRecord
from protos.yixin.v1 import statement_pb2, transparency_pb2
from security.merkle import (
    Frontier,
    Tree,
    consistency_path_over,
    inclusion_path_over,
    leaf_hash,
)
from security.packs.layout import METADATA, TARGETS
from security.transparency import Checkpoint, numbered_origin, sign_checkpoint

_INDEX_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditParts:
    """Reads the parts of one bundle."""

    connection: Connection = field(repr=False)
    """A reading transaction."""
    identity: HubIdentity = field(repr=False)
    """The hub; its identity key signs checkpoints, its vault opens published statements."""
    first: int
    """First log index."""
    end: int
    """Log index after the last."""
    period: str
    """Rating period the bundle is limited to, or empty."""

    def publications(self) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        """Root and signed statements of every publication of the range."""
        for leaf in self._leaves(transparency_pb2.LOG_KIND_PUBLICATION):
            if self.period in {"", leaf.period}:
                root = transparency_pb2.LogLeaf.FromString(leaf.leaf).envelope_hash
                found = publications.find_publication(self.connection, root)
                if found is not None:
                    yield root, self._statements(*found)

    def _statements(self, publication_id: int, record: PublicationRecord) -> Iterator[bytes]:
        def bodies() -> Iterator[bytes]:
            return publications.published_bodies(
                self.connection, self.identity.vault, publication_id, record.root
            )

        tree = Tree(leaf_hash(body) for body in bodies())
        for index, body in enumerate(bodies()):
            yield statement_pb2.SignedGradeStatement(
                body=body,
                key_id=record.key_id,
                leaf_index=index,
                group_size=record.group_size,
                path=tree.inclusion_path(index),
                signature=record.signature,
                pq_signature=record.pq_signature,
            ).SerializeToString(deterministic=True)

    @property
    def origin(self) -> str:
        """Origin of the log as it is now."""
        return _origin(self.connection, self.identity)

    def checkpoint(self, size: int) -> str:
        """The log at a size, signed by the identity key."""
        root = log.frontier_before(self.connection, size).root()
        return sign_checkpoint(
            Checkpoint(origin=self.origin, size=size, root=root), self.identity.root
        )

    def other_checkpoints(self, sizes: Sequence[int]) -> Iterator[bytes]:
        """Checkpoints of other sizes with the proof that they and the bundle's are of one log.

        Args:
            sizes: Sizes to prove from; the newest ones that witnesses cosigned are added, and the
                log's own where something of the range was emptied after it.
        """
        lines = self._cosigned()
        later = {log.size(self.connection)} if any(True for _ in self._emptied()) else set()
        for size in sorted({*sizes, *lines, *later} - {self.end}):
            path = consistency_path_over(self._subtree, *sorted((size, self.end)))
            yield transparency_pb2.Proof(
                path=path, checkpoint=self.checkpoint(size) + lines.get(size, "")
            ).SerializeToString(deterministic=True)

    def own_checkpoint(self) -> str:
        """The checkpoint of the range's end, with the cosignatures that are known."""
        return self.checkpoint(self.end) + self._cosigned().get(self.end, "")

    def _cosigned(self) -> dict[int, str]:
        """Lines of witnesses by size: of each the newest, and the newest up to the range's end."""
        size = log.size(self.connection)
        found: dict[int, str] = {}
        seen: set[tuple[str, bool]] = set()
        for one in log_peers.cosignatures(self.connection, self.origin):
            at = one.checkpoint.size
            place = (one.witness, at >= self.end)
            is_nearest = at == self.end or place not in seen
            if at <= size and is_nearest:
                seen.add(place)
                found[at] = found.get(at, "") + one.lines
        return found

    def policies(self) -> Iterator[bytes]:
        """Every suite policy that was logged."""
        for signed in policies.signed_history(self.connection, self.identity):
            yield signed.SerializeToString(deterministic=True)

    def agreements(self) -> Iterator[bytes]:
        """Every version of a sharing agreement."""
        for version in agreements.all_versions(self.connection):
            yield version.signed.SerializeToString(deterministic=True)

    def prior_agreements(self) -> Iterator[bytes]:
        """Index, leaf and inclusion path of every agreement's leaf before the range."""
        kind = transparency_pb2.LOG_KIND_AGREEMENT
        for leaf in audit_rows.leaves_of(self.connection, kind, 0, self.first):
            yield leaf.log_index.to_bytes(_INDEX_BYTES)
            yield leaf.leaf
            yield b"".join(inclusion_path_over(self._subtree, leaf.log_index, self.end))

    def emptied_later(self) -> Iterator[bytes]:
        """Place, leaf and path of every leaf after the range that empties an envelope of it."""
        size = log.size(self.connection)
        for leaf in self._emptied():
            yield leaf.log_index.to_bytes(_INDEX_BYTES) + size.to_bytes(_INDEX_BYTES)
            yield leaf.leaf
            yield b"".join(inclusion_path_over(self._subtree, leaf.log_index, size))

    def _emptied(self) -> Iterator[EventLeaf]:
        kind, size = transparency_pb2.LOG_KIND_EMPTIED, log.size(self.connection)
        emptied = audit_rows.emptied_hashes(self.connection, self.first, self.end)
        for leaf in audit_rows.leaves_of(self.connection, kind, self.end, size):
            if transparency_pb2.LogLeaf.FromString(leaf.leaf).envelope_hash in emptied:
                yield leaf

    def _leaves(self, kind: transparency_pb2.LogKind.ValueType) -> Iterator[EventLeaf]:
        return audit_rows.leaves_of(self.connection, kind, self.first, self.end)

    def _subtree(self, low: int, high: int) -> bytes:
        """Root over the leaves from one index up to another."""
        grown = Frontier()
        for hashed in audit_rows.leaf_hashes(self.connection, low, high):
            grown.append(hashed)
        return grown.root()


def confirmed_size(connection: Connection, identity: HubIdentity, quorum: int) -> int | None:
    """The largest size that a quorum of witnesses cosigned; None when there is none.

    Args:
        connection: A reading transaction.
        identity: The hub.
        quorum: Witnesses that must have signed; 0 when the hub asks for none.
    """
    found = log_peers.cosignatures(connection, _origin(connection, identity))
    size = log.size(connection)
    counts = Counter(one.checkpoint.size for one in found if one.checkpoint.size <= size)
    return max((at for at, count in counts.items() if count >= quorum > 0), default=None)


def _origin(connection: Connection, identity: HubIdentity) -> str:
    return numbered_origin(identity.anchor.log_origin, log.state(connection).number)


def pack_files(served: Path) -> Iterator[tuple[str, bytes]]:
    """Packs and their metadata, as the hub serves them to its members.

    Args:
        served: The hub's copy of the packs' repository; it may be absent.
    """
    for path in sorted((served / METADATA).glob("*.*.json")):
        yield path.name, path.read_bytes()
    for path in sorted((served / TARGETS / "packs").glob("*.zip")):
        yield f"{path.name.partition('.')[0]}.zip", path.read_bytes()
