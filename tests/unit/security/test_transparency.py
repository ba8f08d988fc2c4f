from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.errors import LogCorruptError
from security.keys import SigningKey
from security.signatures import SignatureScheme
from security.transparency import (
    Checkpoint,
    find_origin_number,
    numbered_origin,
    open_checkpoint,
    parse_leaf,
    sign_checkpoint,
    verify_checkpoint,
)
from tests.support.members import HUB, PROVINCE, city, make_hub

HUB_UNDER_TEST, _ = city()
ORIGIN = HUB_UNDER_TEST.anchor.log_origin
CHECKPOINT = Checkpoint(origin=ORIGIN, size=7, root=bytes(range(32)))
TEXT = sign_checkpoint(CHECKPOINT, HUB_UNDER_TEST.signing)


def test_a_signed_checkpoint_verifies() -> None:
    assert verify_checkpoint(TEXT, HUB_UNDER_TEST.anchor) == CHECKPOINT


def test_the_note_has_the_standard_form() -> None:
    body, _, signatures = TEXT.partition("\n\n")
    root = base64.b64encode(bytes(range(32))).decode()
    assert body.split("\n") == [ORIGIN, "7", root]
    lines = signatures.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"\N{EM DASH} {ORIGIN} ") for line in lines)
    lengths = [len(base64.b64decode(line.rpartition(" ")[2])) for line in lines]
    assert lengths == [4 + 64, 4 + 3309]


def test_a_hub_without_a_post_quantum_half_signs_one_line() -> None:
    hub = make_hub(post_quantum=False)
    text = sign_checkpoint(CHECKPOINT, hub.signing)
    assert text.count("\N{EM DASH}") == 1
    assert verify_checkpoint(text, hub.anchor) == CHECKPOINT


def test_a_member_of_the_national_suite_signs_a_line_of_its_own_type() -> None:
    key = SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
    text = sign_checkpoint(CHECKPOINT, key)
    value = base64.b64decode(text.splitlines()[-1].rpartition(" ")[2])
    typed = b"\xffyixin/sm2-sm3" + key.verifying.public_key
    assert value[:4] == hashlib.sha256(ORIGIN.encode() + b"\n" + typed).digest()[:4]
    assert open_checkpoint(text, ORIGIN, key.verifying) == CHECKPOINT
    with pytest.raises(LogCorruptError):
        open_checkpoint(text, ORIGIN, HUB_UNDER_TEST.signing.verifying)


def test_lines_of_witnesses_are_skipped() -> None:
    witness = f"\N{EM DASH} witness.example/w {base64.b64encode(bytes(76)).decode()}\n"
    assert verify_checkpoint(TEXT + witness, HUB_UNDER_TEST.anchor) == CHECKPOINT


def test_a_later_line_cannot_replace_the_first() -> None:
    doubled = TEXT + TEXT.partition("\n\n")[2]
    assert verify_checkpoint(doubled, HUB_UNDER_TEST.anchor) == CHECKPOINT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n8\n"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n-7\n"),
        ("AAEC", "AAED"),
        (ORIGIN, "other.example/log"),
        ("\n\n", "\n"),
        ("\n\n", "\nextension\n\n"),
        ("AAEC", "%%%%"),
        ("AAEC", ""),
        ("\N{EM DASH}", "-"),
        ("\N{EM DASH} ", "\N{EM DASH} +"),
    ],
)
def test_a_changed_checkpoint_is_refused(old: str, new: str) -> None:
    changed = TEXT.replace(old, new)
    assert changed != TEXT
    with pytest.raises(LogCorruptError):
        verify_checkpoint(changed, HUB_UNDER_TEST.anchor)


def test_stripping_either_half_is_refused() -> None:
    lines = TEXT.splitlines(keepends=True)
    for at in (4, 5):
        with pytest.raises(LogCorruptError):
            verify_checkpoint("".join(lines[:at] + lines[at + 1 :]), HUB_UNDER_TEST.anchor)


def test_a_signature_line_that_is_not_base64_is_refused() -> None:
    with pytest.raises(LogCorruptError, match="a signature of the checkpoint is not base64"):
        verify_checkpoint(f"{TEXT}\N{EM DASH} {ORIGIN} A\n", HUB_UNDER_TEST.anchor)


def test_another_spelling_of_the_same_bytes_is_refused() -> None:
    root = base64.b64encode(bytes(range(32))).decode()
    assert root.endswith("8=")
    with pytest.raises(LogCorruptError, match="the root of the checkpoint is not canonical"):
        verify_checkpoint(TEXT.replace(root, root[:-2] + "9="), HUB_UNDER_TEST.anchor)


def test_a_checkpoint_of_another_key_or_log_is_refused() -> None:
    impostor = make_hub(HUB)
    with pytest.raises(LogCorruptError, match="number of signature halves differs"):
        verify_checkpoint(sign_checkpoint(CHECKPOINT, impostor.signing), HUB_UNDER_TEST.anchor)
    with pytest.raises(LogCorruptError, match="expected one of"):
        verify_checkpoint(TEXT, make_hub(PROVINCE).anchor)


def test_an_oversized_checkpoint_is_refused() -> None:
    with pytest.raises(LogCorruptError, match="not a signed checkpoint"):
        verify_checkpoint(TEXT + "\N{EM DASH} w AAAA\n" * 10_000, HUB_UNDER_TEST.anchor)


@given(text=st.text(max_size=200))
def test_any_text_is_refused_by_an_error_of_ours(text: str) -> None:
    for candidate in (text, f"{ORIGIN}\n{text}", f"{CHECKPOINT.body}\n{text}"):
        with pytest.raises(LogCorruptError):
            verify_checkpoint(candidate, HUB_UNDER_TEST.anchor)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 0, bytes(32)), ("a b", 0, bytes(32)), ("a", -1, bytes(32)), ("a", 0, bytes(31))],
)
def test_a_malformed_checkpoint_is_not_made(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(LogCorruptError):
        Checkpoint(origin=origin, size=size, root=root)


def test_a_signed_message_of_another_kind_never_looks_like_a_checkpoint() -> None:
    # Signed notes and signed parts share the hub's key: an origin cannot begin like the latter.
    with pytest.raises(LogCorruptError, match="is no origin of a log"):
        Checkpoint(origin="DSSEv1 13", size=0, root=bytes(32))


def test_a_leaf_is_read() -> None:
    leaf = transparency_pb2.LogLeaf(
        kind=transparency_pb2.LOG_KIND_PUBLICATION, envelope_hash=bytes(32), sender=HUB
    )
    assert parse_leaf(leaf.SerializeToString()) == leaf


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"\xff",
        bytes(3000),
        transparency_pb2.LogLeaf(
            kind=transparency_pb2.LOG_KIND_ENVELOPE, envelope_hash=bytes(31)
        ).SerializeToString(),
        transparency_pb2.LogLeaf(envelope_hash=bytes(32)).SerializeToString(),
        identity_pb2.KeyCertificate(body=b"x", pq_signature=b"y").SerializeToString(),
    ],
)
def test_bytes_that_are_no_leaf_are_refused(leaf: bytes) -> None:
    with pytest.raises(LogCorruptError, match="leaf"):
        parse_leaf(leaf)


FIRST = "yixin/330300/hub/city/log1"


def numbered_anchor() -> identity_pb2.TrustAnchor:
    """The hub's anchor, with an origin that may be followed by others."""
    anchor = identity_pb2.TrustAnchor()
    anchor.CopyFrom(HUB_UNDER_TEST.anchor)
    anchor.log_origin = FIRST
    return anchor


@pytest.mark.parametrize("number", [1, 2, 9, 10, 123])
def test_a_log_that_followed_is_one_of_the_hub(number: int) -> None:
    origin = numbered_origin(FIRST, number)
    assert find_origin_number(FIRST, origin) == number
    later = Checkpoint(origin=origin, size=7, root=bytes(32))
    note = sign_checkpoint(later, HUB_UNDER_TEST.signing)
    assert verify_checkpoint(note, numbered_anchor()) == later


@pytest.mark.parametrize(
    "origin",
    ["2", "log2", FIRST + "x", FIRST[:-1], FIRST[:-1] + "02", FIRST[:-1] + "0", "x" + FIRST],
)
def test_another_log_is_none_of_the_hub(origin: str) -> None:
    assert find_origin_number(FIRST, origin) is None
    other = sign_checkpoint(
        Checkpoint(origin=origin, size=7, root=bytes(32)), HUB_UNDER_TEST.signing
    )
    with pytest.raises(LogCorruptError, match="expected one of"):
        verify_checkpoint(other, numbered_anchor())
