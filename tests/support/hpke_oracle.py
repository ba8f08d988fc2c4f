"""RFC 9180 base mode written a second time, for tests: it shares no HPKE code with the program.

HKDF is written over ``hmac``, X25519 in plain integers, the hybrid's combiner over SHA3-256.
AES-GCM, ChaCha20-Poly1305 and ML-KEM-768 itself are the library's. Slow, and not constant in time.

Source:
    RFC 9180, sections 4 to 5.3; RFC 7748, section 5; draft-connolly-cfrg-xwing-kem, section 5.3.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

X25519_KEM: Final = 0x0020
HYBRID_KEM: Final = 0x647A
HKDF_SHA256: Final = 0x0001
AES_256_GCM: Final = 0x0002

_HASH: Final = 32
_NONCE: Final = 12
_MLKEM_PUBLIC: Final = 1184
_MLKEM_SEED: Final = 64
_MLKEM_CIPHERTEXT: Final = 1088
_KEY_BYTES: Final = {0x0001: 16, 0x0002: 32, 0x0003: 32}
_FIELD: Final = 2**255 - 19
_A24: Final = 121_665
_BASE: Final = (9).to_bytes(32, "little")
_LABEL: Final = b"\\.//^\\"


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract with SHA-256. Source: RFC 5869."""
    return hmac.new(salt or bytes(_HASH), material, hashlib.sha256).digest()


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256. Source: RFC 5869."""
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes([count]), hashlib.sha256).digest()
        out, count = out + block, count + 1
    return out[:length]


def x25519(scalar: bytes, point: bytes) -> bytes:
    """Scalar multiplication on Curve25519. Source: RFC 7748, section 5."""
    k = int.from_bytes(scalar, "little") & ~7 & ~(128 << 248) | (64 << 248)
    x1 = int.from_bytes(point, "little") % 2**255 % _FIELD
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in reversed(range(255)):
        now = k >> bit & 1
        if swap ^ now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a, c * b
        x3, z3 = (da + cb) ** 2 % _FIELD, x1 * (da - cb) ** 2 % _FIELD
        aa, bb = a * a, b * b
        x2, z2 = aa * bb % _FIELD, (aa - bb) * (aa + _A24 * (aa - bb)) % _FIELD
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, _FIELD) % _FIELD).to_bytes(32, "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A key schedule's result."""

    aead: int
    key: bytes
    base_nonce: bytes
    exporter_secret: bytes
    suite: bytes

    def nonce(self, seq: int) -> bytes:
        return bytes(
            one ^ two for one, two in zip(self.base_nonce, seq.to_bytes(_NONCE), strict=True)
        )

    def seal(self, seq: int, plaintext: bytes, aad: bytes = b"") -> bytes:
        return self._cipher.encrypt(self.nonce(seq), plaintext, aad)

    def open(self, seq: int, ciphertext: bytes, aad: bytes = b"") -> bytes:
        return self._cipher.decrypt(self.nonce(seq), ciphertext, aad)

    def export(self, context: bytes, length: int) -> bytes:
        return _labeled_expand(self.suite, self.exporter_secret, b"sec", context, length)

    @property
    def _cipher(self) -> AESGCM | ChaCha20Poly1305:
        return ChaCha20Poly1305(self.key) if self.aead == 3 else AESGCM(self.key)


def schedule(kem: int, aead: int, shared_secret: bytes, info: bytes) -> Context:
    """Key schedule of base mode. Source: RFC 9180, section 5.1."""
    suite = b"HPKE" + b"".join(part.to_bytes(2) for part in (kem, HKDF_SHA256, aead))
    psk_id = _labeled_extract(suite, b"", b"psk_id_hash", b"")
    about = bytes(1) + psk_id + _labeled_extract(suite, b"", b"info_hash", info)
    secret = _labeled_extract(suite, shared_secret, b"secret", b"")
    return Context(
        aead=aead,
        key=_labeled_expand(suite, secret, b"key", about, _KEY_BYTES[aead]),
        base_nonce=_labeled_expand(suite, secret, b"base_nonce", about, _NONCE),
        exporter_secret=_labeled_expand(suite, secret, b"exp", about, _HASH),
        suite=suite,
    )


def dh_secret(exchanged: bytes, encapsulated: bytes, public_key: bytes) -> bytes:
    """Shared secret of DHKEM(X25519, HKDF-SHA256). Source: RFC 9180, section 4.1."""
    suite = b"KEM" + X25519_KEM.to_bytes(2)
    prk = _labeled_extract(suite, b"", b"eae_prk", exchanged)
    return _labeled_expand(suite, prk, b"shared_secret", encapsulated + public_key, _HASH)


def derive_key_pair(material: bytes) -> tuple[bytes, bytes]:
    """Private and public key from key material. Source: RFC 9180, section 7.1.3."""
    suite = b"KEM" + X25519_KEM.to_bytes(2)
    prk = _labeled_extract(suite, b"", b"dkp_prk", material)
    private = _labeled_expand(suite, prk, b"sk", b"", 32)
    return private, x25519(private, _BASE)


def open_x25519(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open what the suite INTL sealed."""
    encapsulated, ciphertext = sealed[:32], sealed[32:]
    secret = dh_secret(x25519(private_key, encapsulated), encapsulated, x25519(private_key, _BASE))
    return schedule(X25519_KEM, AES_256_GCM, secret, info).open(0, ciphertext)


def seal_x25519(public_key: bytes, ephemeral: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal for the suite INTL with a given ephemeral private key."""
    encapsulated = x25519(ephemeral, _BASE)
    secret = dh_secret(x25519(ephemeral, public_key), encapsulated, public_key)
    context = schedule(X25519_KEM, AES_256_GCM, secret, info)
    return encapsulated + context.seal(0, plaintext)


def open_hybrid(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open what the suite INTL-PQ sealed."""
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(private_key[:_MLKEM_SEED])
    curve = private_key[_MLKEM_SEED:]
    first = sealed[:_MLKEM_CIPHERTEXT]
    second, ciphertext = (
        sealed[_MLKEM_CIPHERTEXT : _MLKEM_CIPHERTEXT + 32],
        sealed[_MLKEM_CIPHERTEXT + 32 :],
    )
    secret = _combine(
        lattice.decapsulate(first), x25519(curve, second), second, x25519(curve, _BASE)
    )
    return schedule(HYBRID_KEM, AES_256_GCM, secret, info).open(0, ciphertext)


def seal_hybrid(public_key: bytes, ephemeral: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal for the suite INTL-PQ with a given ephemeral private key of the curve."""
    lattice = mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM_PUBLIC])
    curve = public_key[_MLKEM_PUBLIC:]
    shared, first = lattice.encapsulate()
    second = x25519(ephemeral, _BASE)
    secret = _combine(shared, x25519(ephemeral, curve), second, curve)
    context = schedule(HYBRID_KEM, AES_256_GCM, secret, info)
    return first + second + context.seal(0, plaintext)


def _combine(lattice: bytes, curve: bytes, ephemeral: bytes, public_key: bytes) -> bytes:
    return hashlib.sha3_256(lattice + curve + ephemeral + public_key + _LABEL).digest()


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + material)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(key, length.to_bytes(2) + b"HPKE-v1" + suite + label + info, length)
