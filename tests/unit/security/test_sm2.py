from __future__ import annotations

import pytest

from security.sm2 import Sm2PrivateKey, Sm2PublicKey

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


@pytest.fixture(scope="module")
def key() -> Sm2PrivateKey:
    return Sm2PrivateKey.generate()


def test_every_part_has_a_fixed_length(key: Sm2PrivateKey) -> None:
    public = Sm2PublicKey(key.public_bytes)
    assert (len(key.private_bytes), len(key.public_bytes), key.public_bytes[0]) == (32, 65, 4)
    # DER would vary by the leading bits of four numbers: two hundred tries meet short ones.
    for _ in range(200):
        signature = key.sign(b"message")
        assert len(signature) == 64
        assert public.verify(signature, b"message")
        wrapped = public.wrap(bytes(16))
        assert len(wrapped) == 112
        assert key.unwrap(wrapped) == bytes(16)


def test_the_same_number_is_the_same_key(key: Sm2PrivateKey) -> None:
    again = Sm2PrivateKey(key.private_bytes)
    assert again.public_bytes == key.public_bytes
    assert Sm2PublicKey(key.public_bytes).verify(again.sign(b"m"), b"m")


@pytest.mark.parametrize(
    "number", [0, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1], ids=lambda number: hex(number)[-6:]
)
def test_a_number_that_is_no_private_key_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="below the order"):
        Sm2PrivateKey(number.to_bytes(32))


def test_a_signature_with_an_improper_number_is_refused(key: Sm2PrivateKey) -> None:
    public = Sm2PublicKey(key.public_bytes)
    signature = key.sign(b"m")
    r, s = signature[:32], signature[32:]
    beyond = (int.from_bytes(r) + ORDER).to_bytes(33)[-32:]
    for improper in (bytes(32) + s, r + bytes(32), beyond + s, s + r, bytes(64), b"\xff" * 64):
        assert not public.verify(improper, b"m")


def test_every_changed_byte_of_a_wrapped_key_is_refused(key: Sm2PrivateKey) -> None:
    wrapped = Sm2PublicKey(key.public_bytes).wrap(b"k" * 16)
    for at in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[at] ^= 1
        with pytest.raises(ValueError, match="does not open"):
            key.unwrap(bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 64, 95, 96, 111, 200, 300])
def test_a_wrapped_key_of_another_length_is_refused(key: Sm2PrivateKey, length: int) -> None:
    with pytest.raises(ValueError, match=r"does not open|too long"):
        key.unwrap(bytes(length))


def test_a_key_wrapped_for_another_is_refused(key: Sm2PrivateKey) -> None:
    other = Sm2PrivateKey.generate()
    with pytest.raises(ValueError, match="does not open"):
        key.unwrap(Sm2PublicKey(other.public_bytes).wrap(bytes(16)))
