"""Whatever comes at a node's open port or is typed at a device: a value, or our error."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from node.api.edge.decoding import events_of, greeting_of
from node.errors import PresenceError
from protos.yixin.v1 import edge_pb2
from security.devices import DeviceName, DeviceToken, Place, is_device_id, parse_device_id
from security.devices.joining import open_join, open_renewal
from security.errors import BadSignatureError, TokenError, UntrustedCertificateError
from security.keys import SigningKey

KEY = SigningKey.generate(post_quantum=False)
REFUSED = (UntrustedCertificateError, BadSignatureError)
short = st.binary(max_size=200)
numbers = st.integers(0, 2**64 - 1)


@given(
    institution=st.from_regex(r"[HP][0-9]{11}", fullmatch=True),
    place=st.sampled_from(Place),
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True),
)
def test_a_device_id_round_trips(institution: str, place: Place, name: str) -> None:
    made = DeviceName(institution=institution, place=place, name=name)
    assert parse_device_id(made.device_id) == made


@given(text=st.text(max_size=80))
def test_any_text_is_a_device_id_or_none(text: str) -> None:
    if is_device_id(text):
        assert parse_device_id(text).device_id == text
        return
    with suppress(ValueError):
        parse_device_id(text)
        raise AssertionError(text)


@given(text=st.one_of(st.text(), st.text().map("yixin-device1.".__add__)))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    with suppress(TokenError):
        DeviceToken.decode(text)


@given(body=short, signature=short)
def test_any_bytes_are_refused_as_a_join_or_renewal(body: bytes, signature: bytes) -> None:
    with suppress(*REFUSED):
        open_join(edge_pb2.DeviceJoinRequest(body=body, signature=signature))
        raise AssertionError(body)
    with suppress(*REFUSED):
        open_renewal(edge_pb2.DeviceRenewRequest(body=body, signature=signature))
        raise AssertionError(body)


@given(format_=st.integers(0, 3), secret=short, csr=short, at_ms=st.integers(-(2**63), 2**63 - 1))
def test_any_signed_join_without_a_certificate_request_is_refused(
    format_: int, secret: bytes, csr: bytes, at_ms: int
) -> None:
    body = edge_pb2.DeviceJoinBody(
        format=format_,
        token_secret=secret,
        tls_csr_der=csr,
        signing_public_key=KEY.verifying.public_key,
        at_ms=at_ms,
    ).SerializeToString(deterministic=True)
    signature = KEY.sign("yixin/device-join/v1", body).classical
    with suppress(*REFUSED):
        open_join(edge_pb2.DeviceJoinRequest(body=body, signature=signature))
        raise AssertionError(body)


@given(
    queue=st.one_of(short, st.binary(min_size=16, max_size=16)),
    oldest=numbers,
    newest=numbers,
    faults=st.lists(st.text(max_size=100), max_size=20),
)
def test_any_hello_is_in_bounds_or_refused(
    queue: bytes, oldest: int, newest: int, faults: list[str]
) -> None:
    request = edge_pb2.HelloRequest(queue=queue, oldest=oldest, newest=newest, faults=faults)
    with suppress(PresenceError):
        greeting = greeting_of(request)
        assert len(greeting.queue) == 16
        assert greeting.oldest <= greeting.newest < 2**53
        assert 1 <= greeting.first <= greeting.newest + 1
        assert len(greeting.health.faults) <= 16


@given(bodies=st.lists(short, max_size=300))
def test_any_delivery_is_in_bounds_or_refused(bodies: list[bytes]) -> None:
    request = edge_pb2.DeliverRequest(events=[edge_pb2.SignedEvent(body=one) for one in bodies])
    with suppress(PresenceError):
        assert [body for body, _ in events_of(request)] == bodies
        assert 1 <= len(bodies) <= 256
