"""The file that a hub hands to an inspector: what a node committed to, and what it stated.

Checked, in order:

0. Bounds, format, and the hub's signature by a key that the trust file leads to.
1. The hub's log checkpoint, by the anchor, and by a quorum of witnesses where one is asked for.
2. Every note: signed by a certified key of the node, in growing sizes; its envelope is a leaf of
   the log, of this sender, below the checkpoint: the node committed before the seed existed.

Source: SECURITY §13.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2, spot_pb2
from security.certificates import SIGNING, Keyring
from security.encoding import parse_exactly
from security.errors import (
    LogCorruptError,
    SecurityError,
    SpotCheckError,
    UnknownSuiteError,
    UntrustedCertificateError,
    cause_of,
)
from security.keys import Signature
from security.merkle import leaf_hash, verify_inclusion
from security.spot.sampling import make_seed
from security.tlog.cosigning import verify_cosignatures
from security.transparency import (
    Checkpoint,
    ledger_origin,
    open_checkpoint,
    parse_leaf,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from security.keys import SigningKey
    from security.tlog.witness_policy import Witness

FORMAT: Final = 1
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_NOTES: Final = 4_000
PAYLOAD_TYPE: Final = "ledger_checkpoints"
_TYPE: Final = "yixin/spot-file/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotFile:
    """A verified spot file."""

    hub: str
    """Member id of the hub."""
    member: str
    """Member id of the node."""
    month: int
    """yyyymm."""
    at_ms: int
    """Moment of writing, milliseconds since the epoch, UTC."""
    notes: tuple[Checkpoint, ...]
    """Checkpoints of the node's tree, the largest last."""
    slots: tuple[spot_pb2.StatedSlotRow, ...] = field(repr=False)
    """What the node stated of the month."""
    log: Checkpoint
    """Checkpoint of the hub's log."""
    cosigned_by: tuple[str, ...]
    """Trusted witnesses that confirmed it."""
    seed: bytes
    """Seed of the sample."""

    @property
    def committed(self) -> Checkpoint:
        """The checkpoint that records are checked against."""
        return self.notes[-1]


def sign_spot_file(body: spot_pb2.SpotFileBody, key: SigningKey) -> bytes:
    """Sign a spot file; returns its bytes."""
    raw = body.SerializeToString(deterministic=True)
    signature = key.sign(_TYPE, raw)
    return spot_pb2.SpotFile(
        body=raw,
        key_id=key.key_id,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
    ).SerializeToString(deterministic=True)


def open_spot_file(
    content: bytes,
    anchors: Mapping[str, identity_pb2.TrustAnchor],
    *,
    witnesses: Sequence[Witness] = (),
    quorum: int = 0,
) -> SpotFile:
    """Verify a spot file against the anchor of its hub.

    Args:
        content: The file.
        anchors: Anchors that the inspector holds, by member id.
        witnesses: Witnesses that the inspector trusts; the hub itself never counts as one.
        quorum: How many of them must have confirmed the log.

    Raises:
        SpotCheckError: The file is damaged, of another hub, or holds something that is not
            proved, or too few witnesses confirmed the log.
    """
    try:
        return _open(content, anchors, witnesses, quorum)
    except (SecurityError, ValueError) as error:
        if isinstance(error, SpotCheckError):
            raise
        raise SpotCheckError(
            f"the spot file is not what its hub signed ({cause_of(error)}); ask the hub's "
            "officer for a new one, and compare the trust file's fingerprint with him"
        ) from error


def _open(
    content: bytes,
    anchors: Mapping[str, identity_pb2.TrustAnchor],
    witnesses: Sequence[Witness],
    quorum: int,
) -> SpotFile:
    # 0. Bounds and the hub's signature.
    outer = parse_exactly(spot_pb2.SpotFile, content, MAX_FILE_BYTES)
    body = parse_exactly(spot_pb2.SpotFileBody, outer.body, MAX_FILE_BYTES)
    anchor = anchors.get(body.hub)
    if anchor is None:
        raise SpotCheckError(
            f"the spot file is of {body.hub[:120]!r}, the trust file knows "
            f"{', '.join(sorted(anchors))}; take the trust file of that hub"
        )
    if body.format != FORMAT or not 1 <= len(body.notes) <= MAX_NOTES:
        raise SpotCheckError(
            f"spot file of format {body.format} with {len(body.notes)} checkpoints, expected "
            f"format {FORMAT} and 1 to {MAX_NOTES}; install the program that wrote it"
        )
    keyring = Keyring([anchor])
    for certificate in body.certificates:
        keyring.add(certificate)
    signer = keyring.find(body.hub, outer.key_id, SIGNING, body.at_ms)
    signer.verifying.verify(
        Signature(classical=outer.signature, post_quantum=outer.pq_signature), _TYPE, outer.body
    )
    # 1. The log.
    log = verify_checkpoint(body.checkpoint, anchor)
    cosigned_by = _cosigners(body, witnesses)
    if len(cosigned_by) < quorum:
        raise SpotCheckError(
            f"the hub's log of {log.size} leaves is confirmed by {len(cosigned_by)} trusted "
            f"witnesses, the trust file asks for {quorum}; ask the hub's officer to have it "
            "cosigned (yixin hub log status) and to write the spot file again"
        )
    # 2. The notes.
    notes = tuple(_note(one, body, keyring, log) for one in body.notes)
    sizes = [one.size for one in notes]
    if sizes != sorted(set(sizes)):
        raise SpotCheckError("the node's checkpoints are not in the order of their sizes")
    return SpotFile(
        hub=body.hub,
        member=body.member,
        month=body.month,
        at_ms=body.at_ms,
        notes=notes,
        slots=tuple(body.slots),
        log=log,
        cosigned_by=cosigned_by,
        seed=make_seed(body.notes[-1].note, body.checkpoint),
    )


def _cosigners(body: spot_pb2.SpotFileBody, witnesses: Sequence[Witness]) -> tuple[str, ...]:
    """Trusted witnesses, other than the hub, whose cosignatures the log's checkpoint bears."""
    own = f"yixin/{body.hub.removeprefix('yixin://')}/"
    others = [witness for witness in witnesses if not witness.name.startswith(own)]
    found = verify_cosignatures(body.checkpoint, others, now_s=None)
    return tuple(sorted({one.witness for one in found}))


def _note(
    one: spot_pb2.CommittedNote, body: spot_pb2.SpotFileBody, keyring: Keyring, log: Checkpoint
) -> Checkpoint:
    leaf = parse_leaf(one.leaf)
    if leaf.sender != body.member or leaf.payload_type != PAYLOAD_TYPE:
        raise SpotCheckError(
            f"leaf {one.log_index} of the log is no commitment of {body.member[:120]!r}"
        )
    verify_inclusion(leaf_hash(one.leaf), one.log_index, log.size, tuple(one.path), log.root)
    origin = ledger_origin(body.member)
    for certificate in body.certificates:
        known = parse_exactly(identity_pb2.KeyCertificateBody, certificate.body, MAX_FILE_BYTES)
        if known.member != body.member or known.use != SIGNING:
            continue
        try:
            key = keyring.find(body.member, known.key_id, SIGNING, leaf.logged_at_ms)
            return open_checkpoint(one.note, origin, key.verifying)
        except (LogCorruptError, UntrustedCertificateError):
            continue
        except UnknownSuiteError as error:
            raise SpotCheckError(f"the checkpoint of {one.day}: {error}") from error
    raise SpotCheckError(
        f"the checkpoint of {one.day} is signed by no certified key of {body.member[:120]!r}"
    )
