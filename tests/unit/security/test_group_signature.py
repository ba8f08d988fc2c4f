from __future__ import annotations

from dataclasses import replace

import pytest

from security.errors import BadSignatureError
from security.group_signature import MAX_GROUP, sign_group, verify_member
from security.keys import Signature, SigningKey

TYPE = "yixin/receipt-group/v1"
KEY = SigningKey.generate(post_quantum=True)
BODIES = [b"receipt %d" % number for number in range(7)]


def test_every_member_of_a_group_verifies_under_one_signature() -> None:
    root, proofs, signature = sign_group(KEY, TYPE, BODIES)
    for body, proof in zip(BODIES, proofs, strict=True):
        assert verify_member(KEY.verifying, TYPE, body, proof, signature) == root


def test_a_group_of_one_has_no_path() -> None:
    _, (proof,), signature = sign_group(KEY, TYPE, [b"alone"])
    assert proof.path == ()
    verify_member(KEY.verifying, TYPE, b"alone", proof, signature)


def test_a_body_that_was_not_in_the_group_is_refused() -> None:
    _, proofs, signature = sign_group(KEY, TYPE, BODIES)
    for body in (b"receipt 9", b"", BODIES[1]):
        with pytest.raises(BadSignatureError):
            verify_member(KEY.verifying, TYPE, body, proofs[0], signature)


def test_a_proof_with_another_place_size_or_path_is_refused() -> None:
    _, proofs, signature = sign_group(KEY, TYPE, BODIES)
    good = proofs[2]
    for wrong in (
        replace(good, leaf_index=3),
        replace(good, leaf_index=7),
        replace(good, leaf_index=-1),
        replace(good, group_size=8),
        replace(good, group_size=0),
        replace(good, group_size=MAX_GROUP + 1),
        replace(good, path=good.path[:-1]),
        replace(good, path=(*good.path, bytes(32))),
        replace(good, path=tuple(bytes(31) for _ in good.path)),
    ):
        with pytest.raises(BadSignatureError):
            verify_member(KEY.verifying, TYPE, BODIES[2], wrong, signature)


def test_a_signature_of_another_kind_or_key_is_refused() -> None:
    _, proofs, signature = sign_group(KEY, TYPE, BODIES)
    other = SigningKey.generate(post_quantum=True)
    with pytest.raises(BadSignatureError):
        verify_member(other.verifying, TYPE, BODIES[0], proofs[0], signature)
    with pytest.raises(BadSignatureError):
        verify_member(KEY.verifying, "yixin/publication/v1", BODIES[0], proofs[0], signature)
    stripped = Signature(classical=signature.classical)
    with pytest.raises(BadSignatureError):
        verify_member(KEY.verifying, TYPE, BODIES[0], proofs[0], stripped)


def test_a_refusal_is_not_remembered_as_a_success() -> None:
    _, proofs, signature = sign_group(KEY, TYPE, BODIES)
    bad = Signature(classical=bytes(64), post_quantum=signature.post_quantum)
    for _ in range(2):
        with pytest.raises(BadSignatureError):
            verify_member(KEY.verifying, TYPE, BODIES[0], proofs[0], bad)
    verify_member(KEY.verifying, TYPE, BODIES[0], proofs[0], signature)


def test_an_empty_group_is_not_signed() -> None:
    with pytest.raises(ValueError, match="an empty group"):
        sign_group(KEY, TYPE, [])
