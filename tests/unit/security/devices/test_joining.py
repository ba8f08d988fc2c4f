from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import edge_pb2
from security.devices import DeviceAuthority, DeviceToken, parse_device_id
from security.devices.joining import (
    MAX_CLOCK_DIFFERENCE_MS,
    DeviceKeys,
    join_request,
    open_join,
    open_renewal,
    renewal_request,
    tls_key_digest,
    verify_answer,
    verify_clock,
)
from security.devices.signed_events import sign_event, verify_event
from security.errors import BadSignatureError, JoinRefusedError, UntrustedCertificateError
from security.keys import SigningKey
from security.tls import csr_der, new_tls_key
from tests.support.members import NOW, NOW_MS

AUTHORITY = DeviceAuthority.create(NOW)
NAME = parse_device_id("yixin-device://H33030200001/window/w3")
TOKEN = DeviceToken(
    device=NAME.device_id,
    enrolment_address="127.0.0.1:9444",
    ca_certificate_der=AUTHORITY.certificate_der,
    secret=bytes(32),
    expires_at_ms=NOW_MS + 1,
)


def keys() -> DeviceKeys:
    return DeviceKeys(signing=SigningKey.generate(post_quantum=False), tls_key_pem=new_tls_key())


OURS = keys()


def answered(mine: DeviceKeys = OURS, **parts: Any) -> edge_pb2.DeviceCertificate:  # noqa: ANN401
    made = {
        "device": NAME.device_id,
        "tls_certificate_der": AUTHORITY.issue(csr_der(mine.tls_key_pem), NAME, NOW),
        "intake_address": "127.0.0.1:9443",
    }
    return edge_pb2.DeviceCertificate(**(made | parts))


def body_of(request: edge_pb2.DeviceJoinRequest) -> edge_pb2.DeviceJoinBody:
    return edge_pb2.DeviceJoinBody.FromString(request.body)


def test_a_join_opens_as_what_was_asked() -> None:
    asked = open_join(join_request(TOKEN, OURS, NOW_MS))
    assert asked.secret_digest == TOKEN.secret_digest
    assert asked.signing_key == OURS.signing.verifying.public_key
    assert asked.tls_digest == tls_key_digest(answered().tls_certificate_der)
    assert asked.keys_digest == open_join(join_request(TOKEN, OURS, NOW_MS + 5)).keys_digest
    assert asked.keys_digest != open_join(join_request(TOKEN, keys(), NOW_MS)).keys_digest


def test_every_flipped_byte_of_a_join_is_refused() -> None:
    whole = join_request(TOKEN, OURS, NOW_MS)
    for at in range(0, len(whole.body), 3):
        body = whole.body[:at] + bytes([whole.body[at] ^ 1]) + whole.body[at + 1 :]
        with pytest.raises((BadSignatureError, UntrustedCertificateError)):
            open_join(edge_pb2.DeviceJoinRequest(body=body, signature=whole.signature))


@pytest.mark.parametrize(
    "request_",
    [
        edge_pb2.DeviceJoinRequest(),
        edge_pb2.DeviceJoinRequest(body=b"\xff"),
        edge_pb2.DeviceJoinRequest(body=bytes(20_000)),
        edge_pb2.DeviceJoinRequest.FromString(b"\x9a\x06\x01x"),
    ],
)
def test_garbage_and_unknown_fields_are_refused(request_: edge_pb2.DeviceJoinRequest) -> None:
    with pytest.raises(UntrustedCertificateError):
        open_join(request_)


def test_a_join_of_another_format_or_without_possession_is_refused() -> None:
    for changed in (
        {"format": 2},
        {"tls_csr_der": b""},
        {"signing_public_key": b"short"},
        {"signing_public_key": keys().signing.verifying.public_key},
    ):
        body = body_of(join_request(TOKEN, OURS, NOW_MS))
        body.MergeFrom(edge_pb2.DeviceJoinBody(**changed))
        if "tls_csr_der" in changed:
            body.ClearField("tls_csr_der")
        raw = body.SerializeToString(deterministic=True)
        signature = OURS.signing.sign("yixin/device-join/v1", raw).classical
        with pytest.raises((BadSignatureError, UntrustedCertificateError)):
            open_join(edge_pb2.DeviceJoinRequest(body=raw, signature=signature))


def test_a_renewal_is_the_devices_own() -> None:
    request = renewal_request(NAME.device_id, OURS, NOW_MS)
    asked = open_renewal(request)
    assert (asked.device, asked.at_ms) == (NAME.device_id, NOW_MS)
    asked.verify(OURS.signing.verifying.public_key)
    with pytest.raises(BadSignatureError):
        asked.verify(keys().signing.verifying.public_key)
    with pytest.raises(UntrustedCertificateError):
        asked.verify(b"")


def test_a_signature_for_a_join_is_none_for_a_renewal_or_an_event() -> None:
    join = join_request(TOKEN, OURS, NOW_MS)
    renewal = renewal_request(NAME.device_id, OURS, NOW_MS)
    public = OURS.signing.verifying.public_key
    forged = edge_pb2.DeviceRenewRequest(
        body=renewal.body,
        signature=OURS.signing.sign("yixin/device-join/v1", renewal.body).classical,
    )
    with pytest.raises(BadSignatureError):
        open_renewal(forged).verify(public)
    with pytest.raises(BadSignatureError):
        verify_event(public, join.body, join.signature)


@pytest.mark.parametrize(
    "request_",
    [
        edge_pb2.DeviceRenewRequest(),
        edge_pb2.DeviceRenewRequest(body=b"\xff"),
        edge_pb2.DeviceRenewRequest(body=bytes(20_000)),
        edge_pb2.DeviceRenewRequest(
            body=edge_pb2.DeviceRenewBody(format=1, device="yixin://1").SerializeToString()
        ),
    ],
)
def test_garbage_is_no_renewal(request_: edge_pb2.DeviceRenewRequest) -> None:
    with pytest.raises(UntrustedCertificateError):
        open_renewal(request_)


def test_clocks_may_differ_by_a_day() -> None:
    verify_clock(NOW_MS - MAX_CLOCK_DIFFERENCE_MS, NOW_MS)
    for at_ms in (NOW_MS - MAX_CLOCK_DIFFERENCE_MS - 1, NOW_MS + MAX_CLOCK_DIFFERENCE_MS + 1):
        with pytest.raises(UntrustedCertificateError, match="clocks differ"):
            verify_clock(at_ms, NOW_MS)


def verify(answer: edge_pb2.DeviceCertificate, ca: bytes = AUTHORITY.certificate_pem) -> None:
    verify_answer(answer, device=NAME.device_id, keys=OURS, ca_certificate=ca, now=NOW)


def test_the_answer_of_the_pinned_node_is_believed() -> None:
    verify(answered())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (answered(keys()), "for another key"),
        (answered(device="yixin-device://H33030200001/window/w4"), "it calls this device"),
        (answered(intake_address="nowhere"), "is not host:port"),
        (answered(tls_certificate_der=b"x"), "not an X.509 certificate"),
        (
            answered(
                tls_certificate_der=AUTHORITY.issue(
                    csr_der(OURS.tls_key_pem),
                    parse_device_id("yixin-device://H33030200001/bed/w3"),
                    NOW,
                )
            ),
            "its certificate names",
        ),
    ],
)
def test_an_answer_that_does_not_hold_is_refused(
    answer: edge_pb2.DeviceCertificate, fault: str
) -> None:
    with pytest.raises(JoinRefusedError, match=fault):
        verify(answer)


def test_an_answer_of_another_node_is_refused() -> None:
    with pytest.raises(JoinRefusedError, match="of another node"):
        verify(answered(), DeviceAuthority.create(NOW).certificate_pem)


def test_an_event_is_signed_by_its_device_alone() -> None:
    signature = sign_event(OURS.signing, b"event")
    verify_event(OURS.signing.verifying.public_key, b"event", signature)
    for public, body, said in (
        (OURS.signing.verifying.public_key, b"other", signature),
        (OURS.signing.verifying.public_key, b"event", b""),
        (keys().signing.verifying.public_key, b"event", signature),
        (b"no key", b"event", signature),
    ):
        with pytest.raises(BadSignatureError):
            verify_event(public, body, said)
