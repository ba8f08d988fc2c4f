"""Vectors of SM2, SM3 and SM4, and our suite GM against integers written a second time.

Origin: excerpts of OpenSSL's test/recipes/30-test_evp_data (evppkey_sm2, evpmd_sm3, evpciph_sm4).
Their two SM2 signatures are over the digest itself, which no message interface takes: the oracle
verifies them, and then verifies what ours signed and opens what ours wrapped.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from security.keys import EncryptionKey, SigningKey
from security.signatures import SignatureScheme
from security.sm2 import Sm2PrivateKey, Sm2PublicKey
from security.suites import GM
from tests.support import sm2_oracle
from tests.support.published_vectors import published

CIPHERTEXT: Final = re.compile(
    "30818A" + "02(?:20|2100)([0-9A-F]{64})" * 2 + "0420([0-9A-F]{64})" + "0422([0-9A-F]{68})"
)


@pytest.fixture(scope="module")
def text() -> str:
    return published("openssl_sm/evppkey_sm2.excerpt.txt").read_text("ascii")


@pytest.fixture(scope="module")
def key(text: str) -> Sm2PrivateKey:
    """The published private key: the octets of PKCS #8 that hold it."""
    pem = re.search(r"-----BEGIN PRIVATE KEY-----(.*?)-----END", text, re.DOTALL)
    assert pem is not None
    private = re.search(rb"\x02\x01\x01\x04\x20(.{32})", base64.b64decode(pem[1]), re.DOTALL)
    assert private is not None
    return Sm2PrivateKey(private[1])


def test_the_oracle_verifies_the_published_signatures(text: str, key: Sm2PrivateKey) -> None:
    found = re.findall(r"digest:SM3\nInput = (\w+)\nOutput = (\w+)", text)
    assert len(found) == 2
    for digest, der in found:
        r, s = decode_dss_signature(bytes.fromhex(der))
        signature = r.to_bytes(32) + s.to_bytes(32)
        assert sm2_oracle.verifies(bytes.fromhex(digest), signature, key.public_bytes)
        assert not sm2_oracle.verifies(bytes(32), signature, key.public_bytes)


def test_the_published_ciphertext_opens(text: str, key: Sm2PrivateKey) -> None:
    der = re.search(r"Decrypt = SM2_key1\nInput = (\w+)\nOutput = \"(.*)\"", text)
    assert der is not None
    parts = CIPHERTEXT.fullmatch(der[1])
    assert parts is not None
    raw = bytes.fromhex("".join(parts.groups()))
    assert key.unwrap(raw) == der[2].encode() == b"The floofy bunnies hop at midnight"
    assert sm2_oracle.unwrap(raw, int.from_bytes(key.private_bytes)) == der[2].encode()


def test_the_hash_gives_the_published_digests() -> None:
    text = published("openssl_sm/evpmd_sm3.excerpt.txt").read_text("ascii")
    found = re.findall(r"Digest = SM3\nInput = (\w+)\nOutput = (\w+)", text)
    assert len(found) == 3
    for data, digest in found:
        assert sm2_oracle.sm3(bytes.fromhex(data)) == bytes.fromhex(digest)


def test_the_cipher_gives_the_published_ciphertext() -> None:
    text = published("openssl_sm/evpciph_sm4.excerpt.txt").read_text("ascii")
    part = {
        name: bytes.fromhex(value)
        for name, value in re.findall(r"(\w+) = ([0-9a-f]+)\n", text.split("SM4-GCM")[1] + "\n")
    }
    encryptor = Cipher(SM4(part["Key"]), modes.GCM(part["IV"])).encryptor()
    encryptor.authenticate_additional_data(part["AAD"])
    assert encryptor.update(part["Plaintext"]) + encryptor.finalize() == part["Ciphertext"]
    assert encryptor.tag == part["Tag"]


def test_the_oracle_verifies_what_ours_signed_and_the_other_way_round() -> None:
    ours = SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
    public = ours.verifying.public_key
    signature = ours.sign_raw(b"message").classical
    assert sm2_oracle.verifies(sm2_oracle.message_digest(b"message", public), signature, public)
    assert not sm2_oracle.verifies(sm2_oracle.message_digest(b"other", public), signature, public)
    key = Sm2PrivateKey.generate()
    made = sm2_oracle.sign(
        sm2_oracle.message_digest(b"message", key.public_bytes),
        int.from_bytes(key.private_bytes),
        secrets.randbelow(sm2_oracle.ORDER - 1) + 1,
    )
    assert Sm2PublicKey(key.public_bytes).verify(made, b"message")
    # Another user id gives another digest: ours is the standard's default.
    digest = sm2_oracle.message_digest(b"message", key.public_bytes, b"ALICE123@YAHOO.COM")
    private = int.from_bytes(key.private_bytes)
    assert not Sm2PublicKey(key.public_bytes).verify(
        sm2_oracle.sign(digest, private, 12345), b"message"
    )


def test_the_oracle_opens_what_ours_sealed_and_the_other_way_round() -> None:
    key = Sm2PrivateKey.generate()
    private = int.from_bytes(key.private_bytes)
    wrapped = Sm2PublicKey(key.public_bytes).wrap(b"k" * 16)
    assert sm2_oracle.unwrap(wrapped, private) == b"k" * 16
    assert key.unwrap(sm2_oracle.wrap(b"m" * 16, key.public_bytes, 2**200 + 7)) == b"m" * 16


def test_the_layout_of_a_sealed_payload_is_the_one_stated() -> None:
    key, plain, info = EncryptionKey.generate("GM"), b"statement", bytes(range(32))
    sealed = GM.seal(key.public_bytes, plain, info)
    private = int.from_bytes(key.handle.key.private_bytes)  # type: ignore[attr-defined]
    session = sm2_oracle.unwrap(sealed[:112], private)
    nonce, content, tag = sealed[112:124], sealed[124:-16], sealed[-16:]
    decryptor = Cipher(SM4(session), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(info)
    assert decryptor.update(content) + decryptor.finalize() == plain
