"""Any bytes from outside give a value or an error of ours, never anything else."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.yixin.v1 import envelope_pb2, identity_pb2
from security.at_rest import Vault
from security.certificates import Keyring, parse_anchor, verify_key_certificate
from security.envelope import open_envelope, parse_envelope, parse_header, seal
from security.errors import SecurityError, VaultError
from security.group_signature import Proof, verify_member
from security.keys import EncryptionKey, Signature, SigningKey
from security.merkle import Frontier, verify_consistency, verify_inclusion
from security.tls import issue_member_certificate, load_certificate, member_id_of
from security.tokens import PREFIX, JoinToken
from tests.support.members import HUB, NODE, NOW, NOW_MS, city, outgoing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()
SEALED = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST)).SerializeToString()
CERTIFICATE = NODE_UNDER_TEST.certificates[0]
HASHES = st.lists(st.binary(min_size=31, max_size=33), max_size=8)
SIZES = st.integers(-1, 2**66)


def open_bytes(data: bytes) -> object:
    return open_envelope(
        parse_envelope(data),
        recipient=HUB,
        decryption_keys=HUB_UNDER_TEST.decryption_keys,
        keyring=HUB_UNDER_TEST.keyring(),
        now_ms=NOW_MS,
    )


READERS: dict[str, Callable[[bytes], object]] = {
    "anchor": parse_anchor,
    "certificate": load_certificate,
    "envelope": open_bytes,
    "frontier": Frontier.from_bytes,
    "header": lambda data: parse_header(
        envelope_pb2.SealedEnvelope(header=data, ciphertext=bytes(2000), signature=bytes(64))
    ),
    "key_certificate": lambda data: verify_key_certificate(
        identity_pb2.KeyCertificate(body=data, signature=bytes(64), pq_signature=bytes(3309)),
        HUB_UNDER_TEST.anchor,
    ),
    "keyring": lambda data: Keyring([HUB_UNDER_TEST.anchor]).add(
        identity_pb2.KeyCertificate(body=data)
    ),
    "member_id": member_id_of,
    "request": lambda data: issue_member_certificate(
        HUB_UNDER_TEST.ca_key_pem, HUB_UNDER_TEST.ca_certificate_pem, data, NODE, NOW
    ),
    "token": lambda data: JoinToken.decode(PREFIX + data.decode("latin-1")),
    "vault": lambda data: Vault(bytes(32)).open(data, "place"),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(data=st.binary(max_size=400))
def test_any_bytes_give_a_value_or_an_error_of_ours(
    reader: Callable[[bytes], object], data: bytes
) -> None:
    with suppress(SecurityError):
        reader(data)


@given(at=st.integers(0, len(SEALED) - 1), value=st.integers(0, 255))
@settings(max_examples=300)
def test_any_changed_byte_of_an_envelope_is_refused(at: int, value: int) -> None:
    changed = SEALED[:at] + bytes([value]) + SEALED[at + 1 :]
    if changed == SEALED:
        open_bytes(changed)
    else:
        with pytest.raises(SecurityError):
            open_bytes(changed)


@given(at=st.integers(0, len(CERTIFICATE.body) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_key_certificate_is_refused(at: int, bit: int) -> None:
    body = bytearray(CERTIFICATE.body)
    body[at] ^= 1 << bit
    changed = identity_pb2.KeyCertificate(
        body=bytes(body),
        signature=CERTIFICATE.signature,
        pq_signature=CERTIFICATE.pq_signature,
    )
    with pytest.raises(SecurityError):
        verify_key_certificate(changed, HUB_UNDER_TEST.anchor)


@given(index=SIZES, size=SIZES, path=HASHES, leaf=st.binary(max_size=33))
def test_any_proof_is_judged_or_refused(
    index: int, size: int, path: list[bytes], leaf: bytes
) -> None:
    signature = Signature(classical=bytes(64), post_quantum=bytes(3309))
    proof = Proof(leaf_index=index, group_size=size, path=tuple(path))
    key = HUB_UNDER_TEST.signing.verifying
    with pytest.raises(SecurityError):
        verify_inclusion(leaf, index, size, path, bytes(32))
    with pytest.raises(SecurityError):
        verify_member(key, "yixin/receipt-group/v1", leaf, proof, signature)
    with pytest.raises(SecurityError):
        verify_consistency(index, size, path, bytes(32), bytes([1]) * 32)


@given(plaintext=st.binary(max_size=200), context=st.text(max_size=20), other=st.text(max_size=20))
def test_the_vault_round_trips_at_one_place_only(
    plaintext: bytes, context: str, other: str
) -> None:
    vault = Vault(bytes(32))
    blob = vault.seal(plaintext, context)
    if context == other:
        assert vault.open(blob, other) == plaintext
    else:
        with pytest.raises(VaultError):
            vault.open(blob, other)


@given(payload=st.binary(max_size=2000))
def test_any_payload_round_trips_through_an_envelope(payload: bytes) -> None:
    envelope = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=payload))
    opened = open_envelope(
        parse_envelope(envelope.SerializeToString()),
        recipient=HUB,
        decryption_keys=HUB_UNDER_TEST.decryption_keys,
        keyring=HUB_UNDER_TEST.keyring(),
        now_ms=NOW_MS,
    )
    assert opened.payload == payload


@given(content=st.binary(max_size=300))
def test_any_key_file_gives_a_key_or_an_error_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Path = tmp_path_factory.mktemp("keys") / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    for load in (SigningKey.load, EncryptionKey.load, Vault.load):
        with suppress(SecurityError):
            load(path)
