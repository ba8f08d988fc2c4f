from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.domain.institution_list import parse_list
from hub.errors import CustodyError, EnrolmentRefusedError
from hub.exchange.enrolment import confirm
from hub.intake.committing import Refused
from hub.store import custody, members
from hub.store.engine import reading, writing
from protos.yixin.v1 import enrolment_pb2, exchange_pb2
from security.exchange.custody import open_custody
from security.exchange.key_files import create_keys
from security.exchange.membership import make_membership
from security.members import parse_member_id
from security.tls import load_certificate, member_id_of
from tests.support.hub_city import (
    CITY,
    FIRST,
    NODE,
    OTHER,
    SECOND,
    THIRD,
    City,
    Sender,
    Slot,
    batch,
    join_request,
)

if TYPE_CHECKING:
    from pathlib import Path

    from security.exchange.key_files import MemberKeys


@pytest.fixture
def keys(tmp_path: Path) -> MemberKeys:
    return create_keys(tmp_path / "keys", post_quantum=False)


def cause(city: City, request: enrolment_pb2.JoinRequest) -> str:
    with pytest.raises(EnrolmentRefusedError) as refused:
        city.join(request)
    assert "token is unknown, used or expired" in str(refused.value)
    return refused.value.cause


def status(city: City, member: str = NODE) -> str:
    with reading(city.parts.engine) as connection:
        row = members.find_member(connection, member)
    assert row is not None
    return str(row.status)


def test_a_member_that_joined_holds_certificates_of_its_own_keys(
    city: City, keys: MemberKeys, tmp_path: Path
) -> None:
    token = city.token(NODE, FIRST, SECOND)
    assert status(city) == "invited"

    response = city.join(join_request(token, keys, city.clock.ms))

    membership = make_membership(tmp_path, response, keys)
    assert membership.member_id == NODE
    assert member_id_of(response.tls_certificate_der) == NODE
    days = load_certificate(response.tls_certificate_der).not_valid_after_utc - city.clock()
    assert days.days == 30
    assert status(city) == "active"
    register = open_custody(
        response.custody, membership.keyring, hub=CITY, member=NODE, at_ms=city.clock.ms
    )
    assert [row.institution for row in register.rows] == [FIRST, SECOND]
    assert city.register().custodian(FIRST, "settlement", 202601) == NODE


def test_custody_counts_only_once_the_member_joined(city: City) -> None:
    city.token(NODE, FIRST)

    assert city.register().custodian(FIRST, "settlement", 202601) is None


def test_a_wrong_token_is_refused(city: City, keys: MemberKeys) -> None:
    token = replace(city.token(NODE, FIRST), secret=bytes(32))

    assert cause(city, join_request(token, keys, city.clock.ms)) == "the token is unknown"
    assert status(city) == "invited"


def test_an_expired_token_is_refused(city: City, keys: MemberKeys) -> None:
    token = city.token(NODE, FIRST)
    city.clock.advance(seconds=601)

    assert "expired" in cause(city, join_request(token, keys, city.clock.ms))


def test_the_same_keys_get_the_same_answer_until_the_member_calls(
    city: City, keys: MemberKeys
) -> None:
    token = city.token(NODE, FIRST)
    first = city.join(join_request(token, keys, city.clock.ms))
    city.clock.advance(seconds=5)

    assert city.join(join_request(token, keys, city.clock.ms)) == first

    confirm(city.parts.engine, NODE, city.clock.ms)
    assert "used up" in cause(city, join_request(token, keys, city.clock.ms))


def test_a_token_used_by_other_keys_is_refused(
    city: City, keys: MemberKeys, tmp_path: Path
) -> None:
    token = city.token(NODE, FIRST)
    city.join(join_request(token, keys, city.clock.ms))
    thief = create_keys(tmp_path / "thief", post_quantum=False)

    assert "other keys" in cause(city, join_request(token, thief, city.clock.ms))


def test_a_newer_token_ends_the_older_one(city: City, keys: MemberKeys) -> None:
    older = city.token(NODE, FIRST)
    newer = city.token(NODE, FIRST)

    assert "used up" in cause(city, join_request(older, keys, city.clock.ms))
    city.join(join_request(newer, keys, city.clock.ms))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"format": 2}, "format"),
        ({"suite": "NONE"}, "suite"),
        ({"at_ms": 0}, "clocks"),
        ({"signing_public_key": b"short"}, "possession"),
        ({"signing_pq_public_key": bytes(1952)}, "post-quantum"),
        ({"tls_csr_der": b"no request"}, "certificate request"),
        ({"encryption_public_key": b"short"}, "key certificate"),
    ],
)
def test_a_malformed_request_is_refused_and_nobody_joins(
    city: City, keys: MemberKeys, changes: dict[str, object], wanted: str
) -> None:
    token = city.token(NODE, FIRST)

    assert wanted in cause(city, join_request(token, keys, city.clock.ms, **changes))
    assert status(city) == "invited"


def test_a_request_signed_by_other_keys_than_it_names_is_refused(
    city: City, keys: MemberKeys, tmp_path: Path
) -> None:
    token = city.token(NODE, FIRST)
    thief = create_keys(tmp_path / "thief", post_quantum=False)
    request = join_request(
        token, keys, city.clock.ms, signing_public_key=thief.signing.verifying.public_key
    )

    assert "possession" in cause(city, request)


@pytest.mark.parametrize("body", [b"\xff", bytes(20_000)])
def test_bytes_that_are_no_request_are_refused(city: City, body: bytes) -> None:
    assert cause(city, enrolment_pb2.JoinRequest(body=body))


def test_a_hub_joins_with_a_post_quantum_key_only(city: City, tmp_path: Path) -> None:
    below = "yixin://330302/hub/county"
    token = city.token(below)
    weak = create_keys(tmp_path / "weak", post_quantum=False)
    strong = create_keys(tmp_path / "strong", post_quantum=True)

    assert "post-quantum" in cause(city, join_request(token, weak, city.clock.ms))
    assert city.join(join_request(token, strong, city.clock.ms)).member == below


def test_an_institution_in_the_custody_of_another_member_is_refused(
    city: City, node: Sender
) -> None:
    with pytest.raises(CustodyError, match=node.member):
        city.token(OTHER, FIRST)

    with reading(city.parts.engine) as connection:
        assert members.find_member(connection, OTHER) is None
        assert custody.rows_of(connection, OTHER) == ()


def test_a_member_joins_again_with_new_keys_and_the_old_ones_prove_nothing(
    city: City, node: Sender, tmp_path: Path
) -> None:
    stolen = node.seal(batch(Slot(value=666)))
    with writing(city.parts.engine) as connection:
        members.revoke(connection, NODE, "disk stolen", city.clock.ms)
    city.clock.advance(minutes=10)
    again = city.enrol(tmp_path / "again", NODE, FIRST, SECOND)

    (refused,) = city.submit(stolen)
    (taken,) = city.submit(again.seal(batch(Slot(value=1))))
    assert isinstance(refused, Refused)
    assert isinstance(taken, exchange_pb2.Receipt)
    assert city.monthly(202601)["values"] == [1]
    assert again.keys.signing.key_id != node.keys.signing.key_id
    assert city.register().custodian(FIRST, "settlement", 202601) == NODE
    with reading(city.parts.engine) as connection:
        assert len(custody.rows_of(connection, NODE)) == 2


def described(city: City, institution: str) -> list[tuple[str, str, str]]:
    with reading(city.parts.engine) as connection:
        rows = custody.register(connection).rows(institution)
    return [(row.member, row.name, row.level) for row in rows]


def test_a_token_for_an_active_member_leaves_its_custody_until_the_join(
    city: City, node: Sender, tmp_path: Path
) -> None:
    with reading(city.parts.engine) as connection:
        before = custody.version(connection)
        held = custody.rows_of(connection, NODE)
    token = city.token(NODE, SECOND, THIRD)
    with reading(city.parts.engine) as connection:
        assert custody.rows_of(connection, NODE) == held
        assert custody.version(connection) == before
    (taken,) = city.submit(node.seal(batch(Slot())))
    assert isinstance(taken, exchange_pb2.Receipt)
    assert city.monthly(202601)["subjects"] == [FIRST]

    again = create_keys(tmp_path / "again", post_quantum=False)
    response = city.join(join_request(token, again, city.clock.ms))

    register = open_custody(
        response.custody,
        make_membership(tmp_path, response, again).keyring,
        hub=CITY,
        member=NODE,
        at_ms=city.clock.ms,
    )
    assert [row.institution for row in register.rows] == [SECOND, THIRD]
    assert register.version > before
    assert city.register().custodian(FIRST, "settlement", 202601) is None


def test_a_token_without_institutions_keeps_the_custody(
    city: City, node: Sender, tmp_path: Path
) -> None:
    city.enrol(tmp_path / "again", node.member)

    assert city.register().custodian(FIRST, "settlement", 202601) == NODE


def test_bare_codes_do_not_overwrite_what_is_known_of_an_institution(
    city: City, tmp_path: Path
) -> None:
    listed = f"institution,name,level,type,division\n{FIRST},第一医院,3,general,330302\n"
    name = parse_member_id(NODE)
    rows = parse_list(listed, name.member_id, 202501)
    with writing(city.parts.engine) as connection:
        members.invite(connection, name)
        custody.propose(connection, name.member_id, rows)
    city.enrol(tmp_path / "node", NODE, FIRST, SECOND)

    assert described(city, FIRST) == [(NODE, "第一医院", "3")]
    assert described(city, SECOND) == [(NODE, SECOND, "0")]

    city.enrol(tmp_path / "again", NODE, FIRST)
    assert described(city, FIRST) == [(NODE, "第一医院", "3")]
    assert described(city, SECOND) == []


def test_a_slot_refused_for_custody_is_stored_when_it_comes_again_after_the_join(
    city: City, node: Sender, tmp_path: Path
) -> None:
    (refused,) = city.submit(node.seal(batch(Slot(institution=THIRD, value=7))))
    assert isinstance(refused, exchange_pb2.Receipt)
    assert city.monthly(202601)["subjects"] == []

    again = city.enrol(tmp_path / "again", NODE, FIRST, SECOND, THIRD)
    again.head = node.head
    city.submit(again.seal(batch(Slot(institution=THIRD, value=7))))

    assert city.monthly(202601) == {"subjects": [THIRD], "months": [202601], "values": [7]}
