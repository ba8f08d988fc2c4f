"""One signature for a group of statements, by Merkle path.

Receipts of a commit group and the grades of a publication are signed once, over the root of
their tree; each travels with its own path. Rules: the signed part holds root and group size; a
path must lead to exactly that root; position and size are bounded before anything is hashed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from security.errors import BadSignatureError, LogCorruptError
from security.merkle import Tree, leaf_hash, root_from_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.keys import Signature, SigningKey, VerifyingKey

MAX_GROUP: Final = 2**32 - 1
_SIZE_BYTES: Final = 8
_VERIFIED_ROOTS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Where one member of a signed group stands."""

    leaf_index: int
    """Position in the group, from 0."""
    group_size: int
    """Number of members of the group."""
    path: tuple[bytes, ...]
    """RFC 6962 inclusion path, 32 bytes each, lowest first."""


def sign_group(
    key: SigningKey, payload_type: str, leaves: Sequence[bytes]
) -> tuple[bytes, tuple[Proof, ...], Signature]:
    """Sign a group of bodies with one signature.

    Args:
        key: Key that signs.
        payload_type: What is signed, for example ``yixin/receipt-group/v1``.
        leaves: Bodies, in order; at least one.

    Returns:
        The root, one proof per body in the same order, and the signature.

    Raises:
        ValueError: The group is empty.
    """
    tree = Tree(leaf_hash(leaf) for leaf in leaves)
    signature = sign_tree(key, payload_type, tree)
    proofs = tuple(
        Proof(leaf_index=index, group_size=tree.size, path=tree.inclusion_path(index))
        for index in range(tree.size)
    )
    return tree.root, proofs, signature


def sign_tree(key: SigningKey, payload_type: str, tree: Tree) -> Signature:
    """Sign a group of which only the tree is at hand; its proofs are the tree's paths.

    Args:
        key: Key that signs.
        payload_type: What is signed.
        tree: Tree over the bodies' leaf hashes; at least one.

    Raises:
        ValueError: The group is empty.
    """
    if not tree.size:
        raise ValueError("an empty group cannot be signed")
    return key.sign(payload_type, tree.root, _size(tree.size))


def verify_member(
    key: VerifyingKey, payload_type: str, leaf: bytes, proof: Proof, signature: Signature
) -> bytes:
    """Verify that a body belongs to a group that the key signed.

    Args:
        key: Key of the signer.
        payload_type: What was signed.
        leaf: The body, as received.
        proof: Its place in the group.
        signature: Signature of the group.

    Returns:
        The root of the group.

    Raises:
        BadSignatureError: The path leads nowhere, or the key did not sign its root.
    """
    if proof.group_size > MAX_GROUP:
        raise BadSignatureError(f"a group of {proof.group_size} members")
    try:
        root = root_from_path(leaf_hash(leaf), proof.leaf_index, proof.group_size, proof.path)
    except LogCorruptError as error:
        raise BadSignatureError(f"group path: {error}") from error
    _verify_root(key, payload_type, root, proof.group_size, signature)
    return root


@lru_cache(maxsize=_VERIFIED_ROOTS)
def _verify_root(
    key: VerifyingKey, payload_type: str, root: bytes, group_size: int, signature: Signature
) -> None:
    # A failed verification raises and is therefore never kept; a group's members share one.
    key.verify(signature, payload_type, root, _size(group_size))


def _size(group_size: int) -> bytes:
    return group_size.to_bytes(_SIZE_BYTES)
