from __future__ import annotations

import pytest

from security.errors import UnknownSuiteError, UnreadableEnvelopeError
from security.keys import EncryptionKey
from security.suites import GM, INTL, INTL_PQ, Suite, available_suites, get_suite, load_public_key
from tests.support.national import without_tongsuopy

SUITES = pytest.mark.parametrize("suite", [INTL, INTL_PQ, GM], ids=lambda suite: suite.name)


@SUITES
def test_what_is_sealed_opens(suite: Suite) -> None:
    key = EncryptionKey.generate(suite)
    sealed = suite.seal(key.public_bytes, b"content", b"header")
    assert len(sealed) == len(b"content") + suite.overhead_bytes
    assert suite.open(key, sealed, b"header") == b"content"


@SUITES
def test_an_empty_payload_round_trips(suite: Suite) -> None:
    key = EncryptionKey.generate(suite)
    assert suite.open(key, suite.seal(key.public_bytes, b"", b""), b"") == b""


@SUITES
def test_a_flipped_bit_in_any_region_does_not_open(suite: Suite) -> None:
    key = EncryptionKey.generate(suite)
    sealed = suite.seal(key.public_bytes, b"content", b"header")
    for at in [*range(0, len(sealed), 37), *range(len(sealed) - 24, len(sealed))]:
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(UnreadableEnvelopeError):
            suite.open(key, bytes(changed), b"header")


@SUITES
def test_a_truncated_ciphertext_does_not_open(suite: Suite) -> None:
    key = EncryptionKey.generate(suite)
    sealed = suite.seal(key.public_bytes, b"content", b"header")
    for length in (0, 1, 31, 32, suite.overhead_bytes - 1, len(sealed) - 1):
        with pytest.raises(UnreadableEnvelopeError):
            suite.open(key, sealed[:length], b"header")


@SUITES
def test_another_header_or_key_does_not_open(suite: Suite) -> None:
    key = EncryptionKey.generate(suite)
    sealed = suite.seal(key.public_bytes, b"content", b"header")
    with pytest.raises(UnreadableEnvelopeError):
        suite.open(key, sealed, b"another header")
    with pytest.raises(UnreadableEnvelopeError):
        suite.open(EncryptionKey.generate(suite), sealed, b"header")


def test_a_key_of_another_suite_is_refused_and_named_for_the_audit_log() -> None:
    key = EncryptionKey.generate(INTL)
    with pytest.raises(UnreadableEnvelopeError) as caught:
        INTL_PQ.open(key, bytes(2000), b"")
    assert caught.value.cause == f"suite INTL-PQ, but key {key.key_id} belongs to INTL"


@pytest.mark.parametrize("name", ["", "intl-pq", "INTL-PQ ", "gm", "NULL", "X" * 1000])
def test_no_other_suite_is_spoken_and_there_is_no_fallback(name: str) -> None:
    with pytest.raises(UnknownSuiteError, match="this release speaks INTL-PQ, INTL, GM"):
        get_suite(name)


def test_a_public_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="of suite INTL-PQ has 1216 bytes, found 32"):
        load_public_key("INTL-PQ", bytes(32))


def test_a_curve_point_without_a_shared_secret_is_refused_when_sealing() -> None:
    with pytest.raises(ValueError, match=r".+"):
        INTL.seal(bytes(32), b"content", b"")


def test_the_post_quantum_suite_needs_both_halves() -> None:
    one, two = EncryptionKey.generate(INTL_PQ), EncryptionKey.generate(INTL_PQ)
    mixed = one.public_bytes[:1184] + two.public_bytes[1184:]
    sealed = INTL_PQ.seal(mixed, b"content", b"")
    for key in (one, two):
        with pytest.raises(UnreadableEnvelopeError):
            INTL_PQ.open(key, sealed, b"")


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with without_tongsuopy(monkeypatch):
        with pytest.raises(UnknownSuiteError, match=r'suite GM: .*: pip install "yixin\[gm\]"'):
            get_suite("GM")
        assert available_suites() == ("INTL-PQ", "INTL")
    assert available_suites() == ("INTL-PQ", "INTL", "GM")


def test_another_version_of_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        without_tongsuopy(monkeypatch, version="1.0.2"),
        pytest.raises(UnknownSuiteError, match=r"tongsuopy 1.0.2 is installed"),
    ):
        get_suite("GM")


def test_a_public_key_off_the_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="no point of the curve"):
        load_public_key("GM", b"\x04" + bytes(range(64)))
    with pytest.raises(ValueError, match="04 and 64 bytes"):
        load_public_key("GM", b"\x02" + bytes(64))
