"""Proof files come back as they were written, and every damage of one is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from security.errors import AuditInputError
from security.proof_files import (
    MAX_LINE_BYTES,
    DeliveredProof,
    ForkProof,
    HeadsProof,
    ProofHead,
    ProofKind,
    ReceiptProof,
    read_proofs,
    write_proofs,
)
from tests.support.members import HUB, NODE, NOW_MS

if TYPE_CHECKING:
    from pathlib import Path

    from security.proof_files import Proof

PROOFS: dict[ProofKind, list[Proof]] = {
    ProofKind.RECEIPTS: [
        ReceiptProof(receipt=b"receipt", envelope=None),
        ReceiptProof(receipt=b"", envelope=b"\x00\xff"),
    ],
    ProofKind.DELIVERIES: [
        HeadsProof(heads=b"heads", lane=3),
        DeliveredProof(hash=bytes(32), envelope=b"two"),
        DeliveredProof(hash=bytes(32), envelope=None),
    ],
    ProofKind.FORKS: [ForkProof(first=b"one", second=b"other", refused_at_ms=NOW_MS)],
}


def head_of(kind: ProofKind) -> ProofHead:
    return ProofHead(
        kind=kind, hub=HUB, member=NODE, made_at_ms=NOW_MS, certificates=(b"one", b"two")
    )


def written(path: Path, kind: ProofKind = ProofKind.RECEIPTS) -> Path:
    assert write_proofs(path, head_of(kind), PROOFS[kind]) == len(PROOFS[kind])
    return path


@pytest.mark.parametrize("kind", ProofKind)
def test_a_file_comes_back_as_it_was_written(tmp_path: Path, kind: ProofKind) -> None:
    path = written(tmp_path / "proofs", kind)

    head, proofs = read_proofs(path)

    assert head == head_of(kind)
    assert list(proofs) == PROOFS[kind]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def changed(path: Path, **changes: object) -> None:
    lines = path.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | changes)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "yixin-proofs/2"},
        {"kind": "promises"},
        {"hub": ""},
        {"member": 7},
        {"made_at_ms": -1},
        {"made_at_ms": True},
        {"certificates": 5},
        {"certificates": ["*"]},
        {"certificates": [5]},
        {"certificates": [""] * 4097},
        {"more": 1},
    ],
    ids=str,
)
def test_a_malformed_head_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    path = written(tmp_path / "proofs")
    changed(path, **changes)

    with pytest.raises(AuditInputError, match="proofs"):
        read_proofs(path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"receipt":"AAAA"}', "which no proof of receipts has"),
        ('{"receipt":"AAAA","envelope":"*"}', "malformed"),
        ('{"receipt":null,"envelope":null}', "malformed"),
        ('{"first":"AAAA","second":"AAAA","refused_at_ms":1}', "which no proof of receipts has"),
        ("[]", "no JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\ud800", "not JSON"),
        ('"' + "x" * MAX_LINE_BYTES + '"', "longer than"),
        ('{"end":7}', "says 7"),
        ('{"end":0}', "says 0"),
    ],
    ids=lambda value: value[:30].encode(errors="replace").decode(),
)
def test_a_malformed_proof_is_refused(tmp_path: Path, line: str, told: str) -> None:
    path = written(tmp_path / "proofs")
    lines = path.read_text().splitlines()
    lines[2] = line
    path.write_bytes(("\n".join(lines) + "\n").encode(errors="surrogatepass"))

    _, proofs = read_proofs(path)
    with pytest.raises(AuditInputError, match=told):
        list(proofs)


def test_a_file_that_was_cut_off_at_any_byte_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "proofs")
    whole = path.read_bytes()

    # Without its last line end alone it is still whole.
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(AuditInputError):
            list(read_proofs(path)[1])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="cannot be read"):
        read_proofs(tmp_path / "none")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), at=st.integers(0, 400))
def test_any_bytes_are_proofs_or_our_error(tmp_path: Path, data: bytes, at: int) -> None:
    path = written(tmp_path / "proofs")
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])

    try:
        list(read_proofs(path)[1])
    except AuditInputError as error:
        assert "proof" in str(error)  # noqa: PT017  # either outcome is right
