"""RFC 9180 vectors against the oracle, and the oracle against our suites, both ways.

Origin: the vectors of the RFC (cfrg/draft-irtf-cfrg-hpke), as kept by cloudflare/circl in
hpke/testdata/vectors_rfc9180_5f503c5.json.gz. Every published ciphertext carries associated data,
which the library's single-shot interface does not take: so a second implementation passes the
vectors, and then opens what our suites seal and seals what they must open, the hybrid included.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from security.envelope import seal
from security.errors import UnreadableEnvelopeError
from security.keys import EncryptionKey
from security.private_files import write_private
from security.suites import INTL, INTL_PQ, Suite
from tests.support import hpke_oracle
from tests.support.members import city, outgoing
from tests.support.published_vectors import published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASE_MODE, HKDF_SHA256, EXPORT_ONLY = 0, 1, 0xFFFF
Vector = dict[str, Any]


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """Base-mode vectors of DHKEM(X25519) with HKDF-SHA256, one per AEAD."""
    path = published("vectors_rfc9180_5f503c5.json.gz")
    suite = (BASE_MODE, hpke_oracle.X25519_KEM, HKDF_SHA256)
    found = [
        {name: bytes.fromhex(part) if isinstance(part, str) else part for name, part in one.items()}
        for one in json.loads(gzip.decompress(path.read_bytes()))
        if (one["mode"], one["kem_id"], one["kdf_id"]) == suite and one["aead_id"] != EXPORT_ONLY
    ]
    assert hpke_oracle.AES_256_GCM in {one["aead_id"] for one in found}
    return found


def test_the_oracle_derives_what_the_vectors_say(vectors: list[Vector]) -> None:
    for vector in vectors:
        assert hpke_oracle.derive_key_pair(vector["ikmR"]) == (vector["skRm"], vector["pkRm"])
        assert hpke_oracle.derive_key_pair(vector["ikmE"]) == (vector["skEm"], vector["pkEm"])
        exchanged = hpke_oracle.x25519(vector["skRm"], vector["enc"])
        secret = hpke_oracle.dh_secret(exchanged, vector["enc"], vector["pkRm"])
        assert secret == vector["shared_secret"]
        context = hpke_oracle.schedule(
            hpke_oracle.X25519_KEM, vector["aead_id"], secret, vector["info"]
        )
        assert context.key == vector["key"]
        assert context.base_nonce == vector["base_nonce"]
        assert context.exporter_secret == vector["exporter_secret"]


def test_the_oracle_passes_every_encryption_and_export(vectors: list[Vector]) -> None:
    tried = 0
    for vector in vectors:
        context = hpke_oracle.schedule(
            hpke_oracle.X25519_KEM, vector["aead_id"], vector["shared_secret"], vector["info"]
        )
        for seq, one in enumerate(vector["encryptions"]):
            aad, plain, sealed, nonce = (
                bytes.fromhex(one[name]) for name in ("aad", "pt", "ct", "nonce")
            )
            assert context.nonce(seq) == nonce
            assert context.seal(seq, plain, aad) == sealed
            assert context.open(seq, sealed, aad) == plain
            tried += 1
        for one in vector["exports"]:
            wanted = bytes.fromhex(one["exported_value"])
            assert context.export(bytes.fromhex(one["exporter_context"]), one["L"]) == wanted
    assert tried >= 257


def test_the_suite_opens_from_the_published_keys(vectors: list[Vector], tmp_path: Path) -> None:
    vector = next(one for one in vectors if one["aead_id"] == hpke_oracle.AES_256_GCM)
    path = tmp_path / "encryption.key"
    write_private(path, f"yixin-encryption-key-1\nINTL\n{vector['skRm'].hex()}\n".encode())
    key = EncryptionKey.load(path)
    assert key.public_bytes == vector["pkRm"]
    sealed = hpke_oracle.seal_x25519(vector["pkRm"], vector["skEm"], b"plain", vector["info"])
    assert sealed.startswith(vector["enc"])
    assert INTL.open(key, sealed, vector["info"]) == b"plain"
    with pytest.raises(UnreadableEnvelopeError):
        INTL.open(key, sealed, vector["info"] + b"\x00")


def private_bytes(key: EncryptionKey, path: Path) -> bytes:
    key.save(path)
    return bytes.fromhex(path.read_text("ascii").splitlines()[2])


@pytest.mark.parametrize(
    ("suite", "opens"),
    [(INTL, hpke_oracle.open_x25519), (INTL_PQ, hpke_oracle.open_hybrid)],
    ids=["INTL", "INTL-PQ"],
)
def test_the_oracle_opens_what_our_suite_sealed(
    suite: Suite, opens: Callable[[bytes, bytes, bytes], bytes], tmp_path: Path
) -> None:
    key = EncryptionKey.generate(suite)
    private = private_bytes(key, tmp_path / "key")
    for length in (0, 1, 1000):
        plain, info = secrets.token_bytes(length), secrets.token_bytes(32)
        assert opens(private, suite.seal(key.public_bytes, plain, info), info) == plain


@pytest.mark.parametrize(
    ("suite", "seals"),
    [(INTL, hpke_oracle.seal_x25519), (INTL_PQ, hpke_oracle.seal_hybrid)],
    ids=["INTL", "INTL-PQ"],
)
def test_our_suite_opens_what_the_oracle_sealed(
    suite: Suite, seals: Callable[[bytes, bytes, bytes, bytes], bytes]
) -> None:
    key = EncryptionKey.generate(suite)
    for length in (0, 1, 1000):
        plain, info = secrets.token_bytes(length), secrets.token_bytes(32)
        sealed = seals(key.public_bytes, secrets.token_bytes(32), plain, info)
        assert suite.open(key, sealed, info) == plain


@pytest.mark.parametrize(
    ("suite", "opens"),
    [("INTL", hpke_oracle.open_x25519), ("INTL-PQ", hpke_oracle.open_hybrid)],
    ids=["INTL", "INTL-PQ"],
)
def test_the_oracle_opens_a_whole_envelope(
    suite: str, opens: Callable[[bytes, bytes, bytes], bytes], tmp_path: Path
) -> None:
    hub, node = city()
    key = EncryptionKey.generate(suite)
    envelope = seal(
        outgoing(
            hub,
            node,
            suite=suite,
            recipient_key_id=key.key_id,
            recipient_public_key=key.public_bytes,
            payload=b"statement",
        )
    )
    info = hashlib.sha256(envelope.header).digest()
    assert opens(private_bytes(key, tmp_path / "key"), envelope.ciphertext, info) == b"statement"
