from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from security.errors import BadSignatureError, KeyFileError, UnknownSuiteError
from security.keys import EncryptionKey, Signature, SigningKey, VerifyingKey
from security.private_files import write_private
from security.signatures import SignatureScheme
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from pathlib import Path

FIELD = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


KINDS = {
    "ed25519": (False, SignatureScheme.ED25519),
    "with_mldsa65": (True, SignatureScheme.ED25519),
    "sm2": (False, SignatureScheme.SM2_SM3),
}


@pytest.fixture(params=list(KINDS))
def key(request: pytest.FixtureRequest) -> SigningKey:
    return alike(request.param)


def alike(kind: str) -> SigningKey:
    post_quantum, scheme = KINDS[kind]
    return SigningKey.generate(post_quantum=post_quantum, scheme=scheme)


def test_a_signature_verifies_for_its_type_and_parts_only(key: SigningKey) -> None:
    signature = key.sign("yixin/test/v1", b"a", b"b")
    key.verifying.verify(signature, "yixin/test/v1", b"a", b"b")
    for payload_type, parts in (
        ("yixin/other/v1", (b"a", b"b")),
        ("yixin/test/v1", (b"ab",)),
        ("yixin/test/v1", (b"ab", b"")),
        ("yixin/test/v1", (b"b", b"a")),
    ):
        with pytest.raises(BadSignatureError, match="the signature does not fit"):
            key.verifying.verify(signature, payload_type, *parts)


def test_a_signature_of_another_key_is_refused(key: SigningKey) -> None:
    other = SigningKey.generate(
        post_quantum=bool(key.verifying.pq_public_key), scheme=key.verifying.scheme
    )
    with pytest.raises(BadSignatureError):
        key.verifying.verify(other.sign("t", b"a"), "t", b"a")


def test_a_flipped_bit_in_either_half_is_refused() -> None:
    key = SigningKey.generate(post_quantum=True)
    signature = key.sign("t", b"a")
    for at in (0, 31, 32, 63):
        half = bytearray(signature.classical)
        half[at] ^= 1
        with pytest.raises(BadSignatureError):
            key.verifying.verify(
                Signature(classical=bytes(half), post_quantum=signature.post_quantum), "t", b"a"
            )
    for at in (0, 1000, 3308):
        half = bytearray(signature.post_quantum)
        half[at] ^= 1
        with pytest.raises(BadSignatureError):
            key.verifying.verify(
                Signature(classical=signature.classical, post_quantum=bytes(half)), "t", b"a"
            )


def test_stripping_the_post_quantum_half_is_refused() -> None:
    key = SigningKey.generate(post_quantum=True)
    stripped = Signature(classical=key.sign("t", b"a").classical)
    with pytest.raises(BadSignatureError, match="number of signature halves differs"):
        key.verifying.verify(stripped, "t", b"a")


def test_a_superfluous_post_quantum_half_is_refused() -> None:
    key, hub = SigningKey.generate(post_quantum=False), SigningKey.generate(post_quantum=True)
    padded = Signature(
        classical=key.sign("t", b"a").classical, post_quantum=hub.sign("t", b"a").post_quantum
    )
    with pytest.raises(BadSignatureError, match="number of signature halves differs"):
        key.verifying.verify(padded, "t", b"a")


@pytest.mark.parametrize("length", [0, 1, 63, 65])
@pytest.mark.parametrize("kind", ["ed25519", "sm2"])
def test_a_signature_of_the_wrong_length_is_refused(length: int, kind: str) -> None:
    key = alike(kind)
    with pytest.raises(BadSignatureError):
        key.verifying.verify(Signature(classical=bytes(length)), "t", b"a")


@pytest.mark.parametrize("sign_bit", [0, 1])
@pytest.mark.parametrize("y", [0, 1, FIELD - 1, FIELD, FIELD + 1, ORDER_8, FIELD - ORDER_8])
def test_a_key_under_which_every_message_is_signed_is_refused(y: int, sign_bit: int) -> None:
    with pytest.raises(ValueError, match="point of small order"):
        VerifyingKey(public_key=(y + (sign_bit << 255)).to_bytes(32, "little"))


def test_the_refused_point_has_order_8() -> None:
    # Edwards addition on y alone: doubling maps y² to a rational function of y².
    d = -121665 * pow(121666, -1, FIELD) % FIELD

    def doubled_y_squared(y: int) -> int:
        y2 = y * y % FIELD
        x2 = (y2 - 1) * pow(d * y2 + 1, -1, FIELD) % FIELD
        doubled = (y2 + x2) * pow(1 - d * x2 * y2, -1, FIELD) % FIELD
        return doubled * doubled % FIELD

    # Twice a point of order 8 has order 4, and those are the points with y = 0.
    assert doubled_y_squared(ORDER_8) == 0


def test_public_keys_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="an Ed25519 public key has 32 bytes, found 31"):
        VerifyingKey(public_key=bytes(31))
    good = SigningKey.generate(post_quantum=False).verifying.public_key
    with pytest.raises(ValueError, match="an ML-DSA-65 public key has 1952 bytes, found 5"):
        VerifyingKey(public_key=good, pq_public_key=bytes(5))


def test_an_sm2_key_has_no_post_quantum_half() -> None:
    with pytest.raises(ValueError, match="an SM2 key has no ML-DSA-65 half"):
        SigningKey.generate(post_quantum=True, scheme=SignatureScheme.SM2_SM3)
    key = alike("sm2").verifying
    with pytest.raises(ValueError, match="an SM2 key has no ML-DSA-65 half"):
        VerifyingKey(public_key=key.public_key, pq_public_key=bytes(1952), scheme=key.scheme)


def test_a_key_of_one_scheme_is_not_read_as_one_of_another() -> None:
    for kind, scheme in (("ed25519", SignatureScheme.SM2_SM3), ("sm2", SignatureScheme.ED25519)):
        with pytest.raises(ValueError, match="public key"):
            VerifyingKey(public_key=alike(kind).verifying.public_key, scheme=scheme)


def test_an_sm2_key_file_names_the_extra_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike("sm2").save(tmp_path / "signing.key")
    EncryptionKey.generate("GM").save(tmp_path / "encryption.key")
    with without_tongsuopy(monkeypatch):
        with pytest.raises(KeyFileError, match=r"pip install"):
            SigningKey.load(tmp_path / "signing.key")
        with pytest.raises(KeyFileError, match=r"pip install"):
            EncryptionKey.load(tmp_path / "encryption.key")


def test_a_key_id_is_32_hex_digits_and_covers_both_halves() -> None:
    hub = SigningKey.generate(post_quantum=True)
    half = VerifyingKey(public_key=hub.verifying.public_key)
    assert re.fullmatch(r"[0-9a-f]{32}", hub.key_id)
    assert hub.key_id == hub.verifying.key_id != half.key_id


def test_a_saved_signing_key_signs_as_before(key: SigningKey, tmp_path: Path) -> None:
    key.save(tmp_path / "signing.key")
    loaded = SigningKey.load(tmp_path / "signing.key")
    assert loaded.verifying == key.verifying
    key.verifying.verify(loaded.sign("t", b"a"), "t", b"a")


def test_saving_over_a_key_is_refused(key: SigningKey, tmp_path: Path) -> None:
    key.save(tmp_path / "signing.key")
    with pytest.raises(KeyFileError, match="is already there"):
        key.save(tmp_path / "signing.key")


@pytest.mark.parametrize("suite", ["INTL", "INTL-PQ", "GM"])
def test_a_saved_encryption_key_opens_as_before(suite: str, tmp_path: Path) -> None:
    key = EncryptionKey.generate(suite)
    key.save(tmp_path / "encryption.key")
    loaded = EncryptionKey.load(tmp_path / "encryption.key")
    assert (loaded.key_id, loaded.suite.name) == (key.key_id, suite)
    sealed = key.suite.seal(key.public_bytes, b"content", b"")
    assert loaded.suite.open(loaded, sealed, b"") == b"content"


def test_an_encryption_key_of_an_unknown_suite_is_not_made() -> None:
    with pytest.raises(UnknownSuiteError):
        EncryptionKey.generate("NULL")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged or is another kind of key"),
        (b"\xff\xfe", "is not a key file"),
        (b"yixin-signing-key-1\n", "is damaged or is another kind of key"),
        (b"yixin-signing-key-1\nzz\n", "hex digits expected"),
        (b"yixin-signing-key-1\nabcd\n", "32 bytes expected, found 2"),
        (b"yixin-signing-key-1\n" + b"ab\n" * 3, "is damaged or is another kind of key"),
        (b"yixin-encryption-key-1\nINTL\nab\n", "is damaged or is another kind of key"),
        (b"yixin-sm2-signing-key-1\n" + b"00" * 32 + b"\n", "below the order less one"),
        (b"yixin-sm2-signing-key-1\n" + (b"01" * 32 + b"\n") * 2, "is damaged"),
    ],
)
def test_a_damaged_signing_key_file_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    write_private(tmp_path / "signing.key", content)
    with pytest.raises(KeyFileError, match=words):
        SigningKey.load(tmp_path / "signing.key")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"yixin-encryption-key-1\nNULL\nabcd\n", "suite 'NULL' is not known"),
        (b"yixin-encryption-key-1\nINTL\nabcd\n", "32 bytes expected, found 2"),
        (b"yixin-signing-key-1\nab\n", "is damaged or is another kind of key"),
    ],
)
def test_a_damaged_encryption_key_file_is_refused(
    content: bytes, words: str, tmp_path: Path
) -> None:
    write_private(tmp_path / "encryption.key", content)
    with pytest.raises(KeyFileError, match=words):
        EncryptionKey.load(tmp_path / "encryption.key")


def test_reprs_show_no_private_part(key: SigningKey, tmp_path: Path) -> None:
    key.save(tmp_path / "signing.key")
    encryption = EncryptionKey.generate("INTL-PQ")
    encryption.save(tmp_path / "encryption.key")
    for path, shown in (("signing.key", repr(key)), ("encryption.key", repr(encryption))):
        lines = (tmp_path / path).read_text().split()
        secrets = [line for line in lines if re.fullmatch(r"[0-9a-f]{64,}", line)]
        assert secrets
        assert not any(bytes.fromhex(secret).__repr__()[2:-1] in shown for secret in secrets)
        assert not any(secret in shown for secret in secrets)
        assert "PrivateKey" not in shown
