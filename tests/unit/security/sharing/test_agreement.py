"""Agreements are signed whole, within bounds, by the hub that shares."""

from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import sharing_pb2
from security.certificates import Keyring, make_anchor
from security.errors import AgreementError
from security.keys import SigningKey
from security.sharing import (
    Agreement,
    agreement_body,
    open_agreement,
    parse_agreement,
    parse_signed,
    sign_agreement,
)
from tests.support.agreements import BANK, BEGIN_MS, PROVIDER, changed, statistic


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate(post_quantum=True)


@pytest.fixture(scope="module")
def keyring(key: SigningKey) -> Keyring:
    return Keyring([make_anchor(PROVIDER, key, b"ca", "yixin/330300/hub/city/log1")])


def signed_by(key: SigningKey, agreement: Agreement, signer: str) -> sharing_pb2.SignedAgreement:
    body = agreement_body(agreement)
    return sharing_pb2.SignedAgreement(body=body, signatures=[sign_agreement(body, signer, key)])


@pytest.mark.parametrize("agreement", [BANK, statistic(), changed(query=True, frequency="request")])
def test_what_was_signed_is_what_is_opened(
    agreement: Agreement, key: SigningKey, keyring: Keyring
) -> None:
    signed = signed_by(key, agreement, PROVIDER)

    assert open_agreement(signed, keyring, BEGIN_MS) == agreement
    assert agreement.reference == "bank@1"


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"id": "Bank"}, "lower-case words"),
        ({"version": 0}, "version"),
        ({"name": "two\nlines"}, "one line"),
        ({"provider": "yixin://330300/department/x"}, "provider"),
        ({"recipient": "public"}, "recipient"),
        ({"recipient": PROVIDER}, "recipient"),
        ({"via": "yixin://330300/node/x"}, "through a hub"),
        ({"via": PROVIDER}, "through a hub"),
        ({"purpose": ""}, "lower-case words"),
        ({"payload_type": "statements"}, "payload type"),
        ({"payload_type": "grade_push"}, "payload type"),
        ({"subject_classes": ()}, "classes"),
        ({"subject_classes": ("nurse", "nurse")}, "classes"),
        ({"fields": ("subject", "diagnosis")}, "fields"),
        ({"fields": ("subject", "subject")}, "fields"),
        ({"row_filter": "grade = 'x'; drop table"}, "row filter"),
        ({"retention_days": 0}, "keeps it"),
        ({"valid_to_ms": BEGIN_MS}, "valid from"),
        ({"valid_to_ms": BEGIN_MS + 6 * 366 * 86_400_000}, "five years"),
        ({"suppress_below": 5}, "suppresses"),
        ({"query": True}, "on request"),
        ({"data_class": "statistic"}, "statistic"),
    ],
)
def test_an_agreement_that_leaves_something_open_is_none(parts: dict[str, Any], fault: str) -> None:
    with pytest.raises(AgreementError, match=fault):
        agreement_body(changed(**parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"suppress_below": 4},
        {"fields": ("count", "grade")},
        {"fields": ("subject", "count")},
        {"fields": ("subject_class", "level", "type", "grade", "count")},
        {"data_class": "grade"},
        {"query": True, "frequency": "request"},
    ],
)
def test_a_statistic_counts_and_suppresses(parts: dict[str, Any]) -> None:
    with pytest.raises(AgreementError, match="statistic"):
        agreement_body(statistic(**parts))


def test_one_byte_of_another_agreement_is_not_signed(key: SigningKey, keyring: Keyring) -> None:
    signed = signed_by(key, BANK, PROVIDER)
    signed.body = agreement_body(changed(retention_days=181))

    with pytest.raises(AgreementError, match="does not fit"):
        open_agreement(signed, keyring, BEGIN_MS)


def test_only_the_provider_signs_what_it_shares(key: SigningKey, keyring: Keyring) -> None:
    with pytest.raises(AgreementError, match="expected its provider"):
        open_agreement(signed_by(key, BANK, "yixin://330000/hub/province"), keyring, BEGIN_MS)
    other = SigningKey.generate(post_quantum=True)
    with pytest.raises(AgreementError, match="untrusted key"):
        open_agreement(signed_by(other, BANK, PROVIDER), keyring, BEGIN_MS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        agreement_body(BANK)[:-3],
        agreement_body(BANK) + b"\xa8\x06\x01",
        bytes(20_000),
        sharing_pb2.Agreement(format=2, frequency="day").SerializeToString(),
    ],
)
def test_malformed_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(AgreementError):
        parse_agreement(body)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        bytes(70_000),
        sharing_pb2.SignedAgreement(body=b"x").SerializeToString(),
        sharing_pb2.SignedAgreement(
            signatures=[sharing_pb2.AgreementSignature(signer="x")] * 6
        ).SerializeToString(),
    ],
)
def test_malformed_signed_agreements_are_refused(data: bytes) -> None:
    with pytest.raises(AgreementError, match="Signed agreement"):
        parse_signed(data)
