"""Joins that wait for an officer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hub.errors import ConfigurationError, EnrolmentRefusedError, LogReadOnlyError
from hub.exchange.requests import approve, reject
from hub.exchange.revoking import revoke_member
from hub.store import enrolment_requests, log, members
from hub.store.engine import reading, writing
from protos.yixin.v1 import enrolment_pb2, transparency_pb2
from security.certificates import fingerprint, keys_digest
from security.exchange.key_files import create_keys, tls_public_key
from security.tls import csr_der, load_certificate, member_id_of
from security.transparency import parse_leaf
from tests.support.hub_city import FIRST, NODE, OTHER, City, join_request

if TYPE_CHECKING:
    from pathlib import Path

    from security.exchange.key_files import MemberKeys
    from security.tokens import JoinToken


@pytest.fixture
def keys(tmp_path: Path) -> MemberKeys:
    return create_keys(tmp_path / "keys", post_quantum=False)


@pytest.fixture
def token(city: City) -> JoinToken:
    return city.token(NODE, FIRST, approved=False)


def decided(city: City, name: str, *, rejected: bool = False) -> bool:
    with writing(city.parts.engine) as connection:
        if rejected:
            reject(connection, name, "another voice", city.clock.ms)
            return True
        return approve(connection, name, city.clock.ms) is not None


def status(city: City, member: str = NODE) -> str:
    with reading(city.parts.engine) as connection:
        row = members.find_member(connection, member)
    assert row is not None
    return str(row.status)


def purposes(city: City) -> list[str]:
    with reading(city.parts.engine) as connection:
        leaves = [parse_leaf(leaf.leaf) for leaf in log.leaves(connection, 0, 100)]
    wanted = transparency_pb2.LOG_KIND_CERTIFICATE
    return [leaf.purpose for leaf in leaves if leaf.kind == wanted and leaf.recipient == NODE]


def test_a_join_waits_with_the_fingerprint_of_the_members_own_keys(
    city: City, keys: MemberKeys, token: JoinToken
) -> None:
    request = join_request(token, keys, city.clock.ms)

    answer = city.join(request)

    own = keys_digest(
        keys.signing.verifying.public_key,
        keys.signing.verifying.pq_public_key,
        keys.encryption.public_bytes,
        tls_public_key(keys.tls_key_pem),
    )
    assert answer.pending.fingerprint == fingerprint(own)
    assert answer.pending.retry_after_s > 0
    assert enrolment_pb2.JoinResponse(pending=answer.pending) == answer
    assert city.join(request) == answer
    assert status(city) == "invited"
    assert purposes(city) == []


@pytest.mark.parametrize("by", ["request", "member"])
def test_an_approved_join_is_answered_and_answered_again(
    city: City, keys: MemberKeys, token: JoinToken, by: str
) -> None:
    request = join_request(token, keys, city.clock.ms)
    pending = city.join(request).pending
    # The officer is at lunch: token and clock of the request are long over.
    city.clock.advance(days=2)
    assert city.join(request).pending == pending

    assert decided(city, pending.request if by == "request" else NODE)

    answer = city.join(request)
    assert (answer.member, answer.HasField("pending")) == (NODE, False)
    assert city.join(request) == answer
    assert status(city) == "active"
    assert purposes(city) == ["officer", "officer"]
    assert not decided(city, NODE)


def test_a_rejected_join_stays_refused_and_is_told_so(
    city: City, keys: MemberKeys, token: JoinToken
) -> None:
    request = join_request(token, keys, city.clock.ms)
    city.join(request)
    decided(city, NODE, rejected=True)

    with pytest.raises(EnrolmentRefusedError, match="officer rejected"):
        city.join(request)
    with pytest.raises(ConfigurationError, match="No request waits"):
        decided(city, NODE, rejected=True)
    assert status(city) == "invited"


def test_two_sets_of_keys_with_one_token_never_both_wait(
    city: City, keys: MemberKeys, token: JoinToken, tmp_path: Path
) -> None:
    thief = create_keys(tmp_path / "thief", post_quantum=False)
    first = city.join(join_request(token, thief, city.clock.ms)).pending

    with pytest.raises(EnrolmentRefusedError) as refused:
        city.join(join_request(token, keys, city.clock.ms))

    assert "other keys" in refused.value.cause
    # The officer reads the fingerprint to the member, hears another one, and gives a new token.
    decided(city, first.request, rejected=True)
    newer = city.token(NODE, FIRST, approved=False)
    second = city.join(join_request(newer, keys, city.clock.ms)).pending
    assert second.fingerprint != first.fingerprint
    assert decided(city, NODE)
    assert city.join(join_request(newer, keys, city.clock.ms)).member == NODE


def test_a_newer_token_forgets_what_waited_for_the_older(
    city: City, keys: MemberKeys, token: JoinToken
) -> None:
    request = join_request(token, keys, city.clock.ms)
    city.join(request)

    city.token(NODE, FIRST, approved=False)

    with pytest.raises(EnrolmentRefusedError) as refused:
        city.join(request)
    assert "used up" in refused.value.cause
    assert not decided(city, NODE)


@pytest.mark.parametrize("approval", ["in advance", "by an officer", "not yet"])
def test_a_revoked_member_does_not_come_back_by_a_token_that_was_out(
    city: City, keys: MemberKeys, approval: str
) -> None:
    token = city.token(NODE, FIRST, approved=approval == "in advance")
    request = join_request(token, keys, city.clock.ms)
    if approval != "in advance":
        city.join(request)
    if approval == "by an officer":
        assert decided(city, NODE)

    with writing(city.parts.engine) as connection:
        revoke_member(connection, city.parts.identity, NODE, "stolen token", city.clock.ms)

    with pytest.raises(EnrolmentRefusedError):
        city.join(request)
    assert status(city) == "revoked"
    assert not decided(city, NODE)
    newer = join_request(city.token(NODE, FIRST), keys, city.clock.ms)
    assert city.join(newer).member == NODE


def test_an_approval_is_for_the_very_keys_and_for_a_week(
    city: City, keys: MemberKeys, token: JoinToken, tmp_path: Path
) -> None:
    request = join_request(token, keys, city.clock.ms)
    city.join(request)
    assert decided(city, NODE)
    other = create_keys(tmp_path / "other", post_quantum=False)
    with pytest.raises(EnrolmentRefusedError):
        city.join(join_request(token, other, city.clock.ms))
    city.clock.advance(days=8)

    assert city.join(request).HasField("pending")
    assert status(city) == "invited"


def test_an_officer_approves_in_advance_with_the_token(city: City, keys: MemberKeys) -> None:
    approved = city.token(NODE, FIRST)

    assert city.join(join_request(approved, keys, city.clock.ms)).member == NODE
    assert purposes(city) == ["advance", "advance"]


def test_too_many_waiting_requests_of_one_member_are_refused(city: City) -> None:
    with writing(city.parts.engine) as connection:
        for number in range(enrolment_requests.MAX_WAITING + 1):
            found = enrolment_requests.add_request(
                connection,
                method="renew",
                member=NODE,
                digest=number.to_bytes(32),
                fingerprint="0000",
                now_ms=city.clock.ms,
            )
            assert (found is None) == (number == enrolment_requests.MAX_WAITING)
        with pytest.raises(ConfigurationError, match="name one of"):
            approve(connection, NODE, city.clock.ms)
        assert approve(connection, OTHER, city.clock.ms) is None


def test_two_requests_at_once_with_one_token_make_one_member(city: City, tmp_path: Path) -> None:
    token = city.token(NODE, FIRST)
    requests = [
        join_request(token, create_keys(tmp_path / str(number), post_quantum=False), city.clock.ms)
        for number in range(4)
    ]

    def ask(request: enrolment_pb2.JoinRequest) -> str:
        try:
            return city.join(request).member
        except EnrolmentRefusedError as error:
            return error.cause

    with ThreadPoolExecutor(len(requests)) as threads:
        answers = sorted(threads.map(ask, requests))

    assert answers == sorted([NODE, *[f"the token of {NODE} was used by other keys"] * 3])
    assert len(purposes(city)) == 2


def test_nobody_joins_while_the_log_takes_no_leaf(
    city: City, keys: MemberKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise LogReadOnlyError("no witness was reached")

    request = join_request(city.token(NODE, FIRST), keys, city.clock.ms)
    with monkeypatch.context() as frozen:
        frozen.setattr(log, "append_leaves", refuse)
        with pytest.raises(LogReadOnlyError):
            city.join(request)
    assert status(city) == "invited"

    assert city.join(request).member == NODE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda request: request.MergeFromString(b"\xfa\x06\x01x"),
        lambda request: setattr(request, "body", request.body + b"\xfa\x06\x01x"),
        lambda request: setattr(request, "body", request.body[:-3]),
        lambda request: setattr(request, "body", bytes(20_000)),
        lambda request: setattr(request, "signature", b""),
        lambda request: setattr(request, "pq_signature", bytes(3309)),
    ],
)
def test_spoiled_requests_wait_for_nobody(
    city: City, keys: MemberKeys, token: JoinToken, spoil: object
) -> None:
    request = join_request(token, keys, city.clock.ms)
    assert callable(spoil)
    spoil(request)

    with pytest.raises(EnrolmentRefusedError, match="not signed by its own keys"):
        city.join(request)
    assert not decided(city, NODE)


def test_hostile_certificate_requests_are_refused(
    city: City, keys: MemberKeys, token: JoinToken
) -> None:
    sound = csr_der(keys.tls_key_pem)
    flipped = sound[:-1] + bytes([sound[-1] ^ 1])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "yixin://330300/hub/city")])
    other = x509.CertificateSigningRequestBuilder().subject_name(name)
    of_rsa = other.sign(rsa.generate_private_key(65_537, 2048), SHA256())
    of_p384 = other.sign(ec.generate_private_key(ec.SECP384R1()), SHA256())
    hostile = (
        b"",
        flipped,
        sound + sound,
        bytes(9 * 1024),
        of_rsa.public_bytes(Encoding.DER),
        of_p384.public_bytes(Encoding.DER),
    )

    for request in hostile:
        with pytest.raises(EnrolmentRefusedError):
            city.join(join_request(token, keys, city.clock.ms, tls_csr_der=request))
    assert not decided(city, NODE)


def test_the_name_in_a_certificate_request_counts_for_nothing(city: City, keys: MemberKeys) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    alias = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("yixin://330300/hub/city")])
    claimed = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "city")]))
        .add_extension(alias, critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )

    answer = city.join(
        join_request(city.token(NODE, FIRST), keys, city.clock.ms, tls_csr_der=claimed)
    )

    issued = load_certificate(answer.tls_certificate_der)
    assert member_id_of(answer.tls_certificate_der) == NODE
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
