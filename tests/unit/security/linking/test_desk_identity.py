from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.errors import KeyFileError, MembershipError, UntrustedCertificateError
from security.linking import DeskCard, key_fingerprint, make_desk_certificate, read_card
from security.linking.desk_identity import MAX_CARD_BYTES
from security.tls import create_ca, new_tls_key

DESK = "yixin://330300/department/health"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEY = new_tls_key()
CARD = DeskCard(
    desk=DESK,
    address="desk.example.org:9443",
    certificate_pem=make_desk_certificate(KEY, DESK, NOW, hosts=["desk.example.org", "10.1.2.3"]),
)


def test_a_card_survives_its_file() -> None:
    assert read_card(CARD.to_json().encode()) == CARD
    assert "BEGIN" not in repr(CARD)


def test_the_fingerprint_is_of_the_key_and_outlives_the_certificate() -> None:
    again = make_desk_certificate(KEY, DESK, NOW)
    assert again != CARD.certificate_pem
    assert key_fingerprint(again) == CARD.fingerprint
    assert key_fingerprint(make_desk_certificate(new_tls_key(), DESK, NOW)) != CARD.fingerprint
    with pytest.raises(UntrustedCertificateError):
        key_fingerprint(b"no certificate")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": None},
        {"more": 1},
        {"desk": "Ann"},
        {"desk": "yixin://330000/hub/province"},
        {"address": "desk.example.org"},
        {"address": ["x"]},
        {"certificate": "none"},
        {"certificate": "证书"},
        {"address": "x" * MAX_CARD_BYTES},
    ],
)
def test_what_is_no_card_is_refused(changes: dict[str, Any]) -> None:
    card = json.loads(CARD.to_json()) | changes
    with pytest.raises(MembershipError, match="yixin hub desk card"):
        read_card(json.dumps(card).encode())


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_card_or_our_error(data: bytes) -> None:
    with pytest.raises(MembershipError):
        read_card(data)


def test_a_deeply_nested_card_is_refused() -> None:
    with pytest.raises(MembershipError):
        read_card(b"[" * 10_000)


def test_a_certificate_that_names_nobody_is_no_desks() -> None:
    ca_key, ca_certificate = create_ca("yixin://330300/hub/city", NOW)
    del ca_key
    card = json.loads(CARD.to_json()) | {"certificate": ca_certificate.decode("ascii")}
    with pytest.raises(MembershipError, match="names another desk"):
        read_card(json.dumps(card).encode())


@pytest.mark.parametrize("key", [b"", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_a_certificate_needs_a_key(key: bytes) -> None:
    with pytest.raises(KeyFileError, match="private key"):
        make_desk_certificate(key, DESK, NOW)
