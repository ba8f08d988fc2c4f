"""RFC 9180 test vectors against the suite ``INTL``.

Origin: the vectors of the RFC (cfrg/draft-irtf-cfrg-hpke), as kept by cloudflare/circl in
hpke/testdata/vectors_rfc9180_5f503c5.json.gz. The published ciphertexts carry associated data,
which single-shot opening does not take; so the published key and nonce, proved on the published
ciphertext, seal the same plaintext without it, and the suite must open that from the published
encapsulated key, private key and info.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.errors import UnreadableEnvelopeError
from security.keys import EncryptionKey
from security.private_files import write_private
from security.suites import INTL

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "shared/data/crypto/vectors_rfc9180_5f503c5.json.gz"
BASE_MODE, DHKEM_X25519_HKDF_SHA256, HKDF_SHA256, AES_256_GCM = 0, 0x20, 1, 2


@pytest.fixture(scope="module")
def vector() -> Mapping[str, Any]:
    """The vector of the suite, from a directory ``shared`` beside an ancestor of this file."""
    beside = (parent / NAME for parent in Path(__file__).resolve().parents)
    path = next((path for path in beside if path.is_file()), None)
    if path is None:
        pytest.skip(f"{NAME} is not beside this repository")
    suite = (BASE_MODE, DHKEM_X25519_HKDF_SHA256, HKDF_SHA256, AES_256_GCM)
    (found,) = (
        vector
        for vector in json.loads(gzip.decompress(path.read_bytes()))
        if (vector["mode"], vector["kem_id"], vector["kdf_id"], vector["aead_id"]) == suite
    )
    return {
        name: bytes.fromhex(value) if isinstance(value, str) else value
        for name, value in found.items()
    }


@pytest.fixture
def key(vector: Mapping[str, Any], tmp_path: Path) -> EncryptionKey:
    path = tmp_path / "encryption.key"
    write_private(path, f"yixin-encryption-key-1\nINTL\n{vector['skRm'].hex()}\n".encode())
    return EncryptionKey.load(path)


@pytest.fixture
def sealed(vector: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Plaintext of the vector, and enc ‖ ciphertext under its key and nonce without data."""
    first = {name: bytes.fromhex(value) for name, value in vector["encryptions"][0].items()}
    cipher = AESGCM(vector["key"])
    assert cipher.encrypt(vector["base_nonce"], first["pt"], first["aad"]) == first["ct"]
    ciphertext = cipher.encrypt(vector["base_nonce"], first["pt"], b"")
    return first["pt"], vector["enc"] + ciphertext


def test_the_public_key_is_the_published_one(vector: Mapping[str, Any], key: EncryptionKey) -> None:
    assert key.public_bytes == vector["pkRm"]


def test_the_suite_opens_from_the_published_values(
    vector: Mapping[str, Any], key: EncryptionKey, sealed: tuple[bytes, bytes]
) -> None:
    plaintext, ciphertext = sealed
    assert INTL.open(key, ciphertext, vector["info"]) == plaintext


def test_another_info_derives_another_key(
    vector: Mapping[str, Any], key: EncryptionKey, sealed: tuple[bytes, bytes]
) -> None:
    with pytest.raises(UnreadableEnvelopeError):
        INTL.open(key, sealed[1], vector["info"] + b"\x00")
