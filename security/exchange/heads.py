"""Signed heads: they open a stream, acknowledge a downlink, and tell who is ahead.

Rules, for the hub that answers (``issue_incarnation``):
    1. Nothing held: the first incarnation.
    2. The member states the hub's own head or a later one: the chain goes on.
    3. The member has begun the next incarnation: it was issued, the chain goes on there.
    4. The member states less than the hub holds, or another hash at the hub's head: it was
       restored from an old copy, or asks for it; the next incarnation, citing the hub's head.
Whatever the member states beyond the hub's head, the chain check alone decides what is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.chain import GENESIS, LANES, ZERO_HASH, ChainPosition, place
from security.countersigning import countersign, find_countersigner, sm2_key_id
from security.encoding import parse_exactly
from security.errors import BadSignatureError, RemoteSyncError, UntrustedCertificateError
from security.keys import Signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from security.certificates import Keyring
    from security.keys import SigningKey

PAYLOAD_TYPE: Final = "yixin/heads/v1"
MAX_HEADS_BYTES: Final = 4 * 1024
MAX_COUNTER: Final = 2**62
"""Highest incarnation and seq that is read; the database counts in 63 bits."""


def to_chain_head(lane: int, position: ChainPosition) -> exchange_pb2.ChainHead:
    """A position as it travels."""
    return exchange_pb2.ChainHead(
        lane=envelope_pb2.Lane.ValueType(lane),
        incarnation=position.incarnation,
        seq=position.seq,
        hash=position.hash,
    )


def read_chain_heads(
    heads: Iterable[exchange_pb2.ChainHead],
) -> dict[int, ChainPosition]:
    """Positions by lane, bounded and checked.

    Raises:
        RemoteSyncError: A lane is unknown or stated twice, or a position contradicts itself.
    """
    found: dict[int, ChainPosition] = {}
    for head in heads:
        if head.lane not in LANES or head.lane in found:
            raise RemoteSyncError(f"heads name lane {head.lane} twice, or it does not exist")
        if head.incarnation > MAX_COUNTER or head.seq > MAX_COUNTER:
            raise RemoteSyncError(f"the head of lane {head.lane} is beyond {MAX_COUNTER}")
        if len(head.hash) != len(ZERO_HASH) or (head.seq and not head.incarnation):
            raise RemoteSyncError(
                f"the head of lane {head.lane} states {len(head.hash)} bytes of hash at "
                f"incarnation {head.incarnation}, seq {head.seq}; 32 bytes are expected, and "
                "seq 0 in incarnation 0"
            )
        found[head.lane] = ChainPosition(incarnation=head.incarnation, seq=head.seq, hash=head.hash)
    return found


def sign_heads(
    key: SigningKey,
    *,
    signer: str,
    peer: str,
    heads: Mapping[int, ChainPosition],
    at_ms: int,
    downlink: bool,
    sm2_key: SigningKey | None = None,
) -> exchange_pb2.SignedHeads:
    """State the heads this member holds.

    Args:
        key: Signing key certified for the signer.
        signer: Member id of who states them.
        peer: Member id of whom they are stated to.
        heads: Positions by lane.
        at_ms: Moment of the statement, milliseconds since the epoch, UTC.
        downlink: True for the chains from hub to member.
        sm2_key: Key that countersigns: of a hub, for a member of suite GM.
    """
    body = exchange_pb2.HeadsBody(
        signer=signer,
        peer=peer,
        heads=[to_chain_head(lane, heads[lane]) for lane in sorted(heads)],
        at_ms=at_ms,
        downlink=downlink,
        sm2_key_id=sm2_key_id(sm2_key),
    ).SerializeToString(deterministic=True)
    signature = key.sign(PAYLOAD_TYPE, body)
    return exchange_pb2.SignedHeads(
        body=body,
        key_id=key.key_id,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
        sm2_signature=countersign(sm2_key, PAYLOAD_TYPE, body),
    )


def open_heads(
    signed: exchange_pb2.SignedHeads,
    keyring: Keyring,
    *,
    signer: str,
    peer: str,
    downlink: bool,
    now_ms: int,
    is_national: bool = False,
) -> dict[int, ChainPosition]:
    """Verify signed heads and read them.

    Args:
        signed: Heads as received.
        keyring: Certified keys; the signer's key must be valid now.
        signer: Who must have signed.
        peer: To whom they must be stated: this side.
        downlink: Direction that is expected.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        is_national: Whether this side is a member of suite GM, whose hub must countersign.

    Returns:
        Positions by lane; a lane without a chain may be absent.

    Raises:
        RemoteSyncError: Not signed by the signer, stated to somebody else, or malformed.
    """
    try:
        body = parse_exactly(exchange_pb2.HeadsBody, signed.body, MAX_HEADS_BYTES)
        key = keyring.find(signer, signed.key_id, identity_pb2.KEY_USE_SIGNING, now_ms)
        key.verifying.verify(
            Signature(classical=signed.signature, post_quantum=signed.pq_signature),
            PAYLOAD_TYPE,
            signed.body,
        )
        countersigner = find_countersigner(
            keyring,
            signer,
            body.sm2_key_id,
            signed.sm2_signature,
            at_ms=now_ms,
            is_required=is_national,
        )
        if countersigner is not None:
            second = Signature(classical=signed.sm2_signature)
            countersigner.verify(second, PAYLOAD_TYPE, signed.body)
    except (ValueError, BadSignatureError, UntrustedCertificateError) as error:
        raise RemoteSyncError(f"the heads of {signer} are not trusted: {error}") from error
    if (body.signer, body.peer, body.downlink) != (signer, peer, downlink):
        raise RemoteSyncError(
            f"the heads of {signer} were stated by {body.signer[:120]!r} to "
            f"{body.peer[:120]!r}, downlink {body.downlink}; expected: to {peer}, "
            f"downlink {downlink}"
        )
    return read_chain_heads(body.heads)


def issue_incarnation(held: ChainPosition, stated: ChainPosition | None) -> ChainPosition:
    """Decide which incarnation a member must use on a lane.

    Args:
        held: Head the hub holds; ``GENESIS`` when it holds nothing.
        stated: Head the member states; None when it has sent nothing.

    Returns:
        The incarnation, with seq and hash of the hub's head for the member to cite.

    >>> held = ChainPosition(incarnation=1, seq=7, hash=bytes(32))
    >>> issue_incarnation(held, None).incarnation
    2
    """
    first = max(1, held.incarnation)
    stated = stated or GENESIS
    if held.incarnation == 0:
        incarnation = first  # 1.
    elif stated.incarnation > held.incarnation:
        incarnation = held.incarnation + 1  # 3.
    elif place(stated) < place(held) or (place(stated) == place(held) and stated != held):
        incarnation = held.incarnation + 1  # 4.
    else:
        incarnation = first  # 2.
    return ChainPosition(incarnation=incarnation, seq=held.seq, hash=held.hash)


def next_incarnation(held: ChainPosition, issued: int, received: int) -> int:
    """Incarnation to give to the chain check for a received envelope.

    A member whose hub lost its last days re-sends the end of the old incarnation before the
    one that was issued to it.

    Args:
        held: Head the hub holds.
        issued: Incarnation stated when the stream opened.
        received: Incarnation the envelope's header names.

    Returns:
        The received one while it is held or issued, else the issued one, so that the check
        finds the gap.
    """
    return received if received in {held.incarnation, issued} else issued
