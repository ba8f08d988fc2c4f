"""Joining over real TLS: what the token pins holds, and a lost answer costs nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from protos.yixin.v1 import enrolment_pb2, statement_pb2
from security.certificates import sign_revocations
from security.certificates.fingerprints import fingerprint, keys_digest
from security.errors import (
    HubUnreachableError,
    JoinPendingError,
    JoinRefusedError,
    MembershipError,
    RemoteSyncError,
    TokenError,
)
from security.exchange.custody import open_custody, sign_custody
from security.exchange.join import REQUEST_FILE, join
from security.exchange.key_files import load_keys, tls_public_key
from security.exchange.member_files import find_address, own_certificates
from security.exchange.membership import MEMBERSHIP_FILE, is_joined, load
from security.keys import EncryptionKey, SigningKey
from security.tls import csr_der, issue_member_certificate, new_tls_key
from tests.support.enrolment_hub import enrolling
from tests.support.exchange_enrolling import TLS_NOW
from tests.support.exchange_hub import serving
from tests.support.members import HUB, NODE, NOW_MS, OTHER_NODE, PROVINCE, make_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from security.exchange.membership import Membership
    from tests.support.enrolment_hub import EnrolmentHub
    from tests.support.exchange_hub import ExchangeHub


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[ExchangeHub]:
    directory = tmp_path / "hub"
    directory.mkdir()
    async with serving(directory) as servicer:
        yield servicer


@pytest.fixture
async def enrolment(exchange: ExchangeHub) -> AsyncIterator[EnrolmentHub]:
    async with enrolling(exchange) as servicer:
        yield servicer


async def try_join(directory: Path, enrolment: EnrolmentHub, kind: str = "node") -> Membership:
    return await join(
        directory, enrolment.token.encode(), kind=kind, post_quantum=kind == "hub", now=TLS_NOW
    )


async def test_a_member_joins_and_finds_its_membership_again(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    directory = tmp_path / "node"

    joined = await try_join(directory, enrolment)

    found = load(directory)
    assert (joined.member_id, joined.hub_id, joined.kind) == (NODE, HUB, "node")
    assert (found.member_id, found.exchange_address) == (NODE, joined.exchange_address)
    assert found.tls_not_after > TLS_NOW
    assert not (directory / REQUEST_FILE).exists()
    assert (directory / MEMBERSHIP_FILE).stat().st_mode & 0o777 == 0o600
    register = open_custody(
        joined.joined.custody, joined.keyring, hub=HUB, member=NODE, at_ms=NOW_MS
    )
    assert register.rows[0].institution == "H33030200001"


async def test_a_directory_stays_one_member_of_one_hub(
    tmp_path: Path, exchange: ExchangeHub
) -> None:
    directory = tmp_path / "node"
    async with enrolling(exchange) as first:
        await try_join(directory, first)
        again = await try_join(directory, first)
    assert again.member_id == NODE
    async with enrolling(exchange, member=OTHER_NODE) as second:
        with pytest.raises(JoinRefusedError, match=f"the token makes it {OTHER_NODE}"):
            await try_join(directory, second)
    assert load(directory).member_id == NODE


async def test_a_hub_joins_its_parent_with_a_key_in_two_halves(
    tmp_path: Path, exchange: ExchangeHub
) -> None:
    async with enrolling(exchange, member="yixin://330302/hub/county") as enrolment:
        joined = await try_join(tmp_path / "county", enrolment, kind="hub")
    assert joined.kind == "hub"
    assert joined.signing_key.verifying.pq_public_key


async def test_a_lost_answer_costs_nothing(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    directory = tmp_path / "node"
    enrolment.fail = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(HubUnreachableError):
        await try_join(directory, enrolment)
    assert not is_joined(directory)

    await try_join(directory, enrolment)

    assert enrolment.requests[0] == enrolment.requests[1]


async def test_another_token_makes_another_request(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    directory = tmp_path / "node"
    enrolment.fail = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(HubUnreachableError):
        await try_join(directory, enrolment)
    enrolment.token = replace(enrolment.token, secret=bytes(32))
    await try_join(directory, enrolment)
    assert enrolment.requests[0] != enrolment.requests[1]


async def test_a_damaged_request_file_is_written_anew(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    directory = tmp_path / "node"
    directory.mkdir()
    (directory / REQUEST_FILE).write_bytes(b"\xff damaged")
    (directory / REQUEST_FILE).chmod(0o600)
    assert (await try_join(directory, enrolment)).member_id == NODE


async def test_a_refusal_names_the_hub(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    enrolment.fail = grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(JoinRefusedError, match="refused to take this member in"):
        await try_join(tmp_path / "node", enrolment)


async def test_an_expired_token_is_not_sent(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    late = TLS_NOW + timedelta(hours=1)
    token = enrolment.token.encode()
    with pytest.raises(TokenError, match="expired"):
        await join(tmp_path / "node", token, kind="node", post_quantum=False, now=late)
    assert enrolment.requests == []


async def test_the_secret_is_not_sent_to_a_server_of_another_root(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    stranger = make_hub()
    enrolment.token = replace(
        enrolment.token, ca_certificate_der=stranger.anchor.ca_certificate_der
    )
    with pytest.raises(HubUnreachableError):
        await join(
            tmp_path / "node",
            enrolment.token.encode(),
            kind="node",
            post_quantum=False,
            now=TLS_NOW,
            call_timeout_s=1.0,
        )
    assert enrolment.requests == []


def _another_anchor(response: enrolment_pb2.JoinResponse) -> None:
    response.anchor.CopyFrom(make_hub().anchor)


def _another_log(response: enrolment_pb2.JoinResponse) -> None:
    response.anchor.log_origin += "x"


def _another_member(response: enrolment_pb2.JoinResponse) -> None:
    response.member = OTHER_NODE


def _no_address(response: enrolment_pb2.JoinResponse) -> None:
    response.exchange_address = ""


def _swapped_certificates(response: enrolment_pb2.JoinResponse) -> None:
    response.encryption_certificate.CopyFrom(response.signing_certificate)


def _unsigned_custody(response: enrolment_pb2.JoinResponse) -> None:
    response.custody.signature = bytes(64)


def _stranger_key(response: enrolment_pb2.JoinResponse) -> None:
    response.hub_keys.extend(make_hub().certificates)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_anchor, "another anchor than the token pins"),
        (_another_log, "another anchor than the token pins"),
        (_another_member, "does not hold"),
        (_no_address, "exchange address is missing"),
        (_swapped_certificates, "encryption certificate is for another key"),
        (_unsigned_custody, "custody register"),
        (_stranger_key, "does not hold"),
    ],
)
async def test_an_answer_that_does_not_hold_is_not_kept(
    tmp_path: Path,
    enrolment: EnrolmentHub,
    change: Callable[[enrolment_pb2.JoinResponse], None],
    words: str,
) -> None:
    enrolment.change = change
    with pytest.raises(JoinRefusedError, match=words):
        await try_join(tmp_path / "node", enrolment)
    assert not is_joined(tmp_path / "node")


async def test_certificates_of_other_keys_are_refused(
    tmp_path: Path, exchange: ExchangeHub, enrolment: EnrolmentHub
) -> None:
    def other_signing(response: enrolment_pb2.JoinResponse) -> None:
        key = SigningKey.generate(post_quantum=False)
        response.signing_certificate.CopyFrom(exchange.hub.certify(NODE, key))

    def other_encryption(response: enrolment_pb2.JoinResponse) -> None:
        key = EncryptionKey.generate("INTL-PQ")
        response.encryption_certificate.CopyFrom(exchange.hub.certify(NODE, key))

    def other_tls(response: enrolment_pb2.JoinResponse) -> None:
        response.tls_certificate_der = issue_member_certificate(
            exchange.hub.ca_key_pem,
            exchange.hub.ca_certificate_pem,
            csr_der(new_tls_key()),
            NODE,
            TLS_NOW,
        )

    def other_name(response: enrolment_pb2.JoinResponse) -> None:
        response.tls_certificate_der = issue_member_certificate(
            exchange.hub.ca_key_pem,
            exchange.hub.ca_certificate_pem,
            csr_der(new_tls_key()),
            OTHER_NODE,
            TLS_NOW,
        )

    for change, words in (
        (other_signing, "signing certificate is for another key"),
        (other_encryption, "encryption certificate is for another key"),
        (other_tls, "TLS certificate is for another key"),
        (other_name, "TLS certificate names"),
    ):
        enrolment.change = change
        with pytest.raises(JoinRefusedError, match=words):
            await try_join(tmp_path / "node", enrolment)


async def test_another_kind_than_asked_for_is_refused(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    with pytest.raises(JoinRefusedError, match="asked for was a department"):
        await try_join(tmp_path / "department", enrolment, kind="department")


async def test_a_token_that_names_another_hub_than_its_anchor_is_refused(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    enrolment.token = replace(enrolment.token, hub=type(enrolment.token.hub)(PROVINCE))
    with pytest.raises(JoinRefusedError, match=f"it is of {HUB}"):
        await try_join(tmp_path / "node", enrolment)


async def test_an_answer_without_custody_is_kept(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    enrolment.change = lambda response: response.ClearField("custody")
    assert (await try_join(tmp_path / "node", enrolment)).member_id == NODE


def test_a_directory_without_membership_says_how_to_join(tmp_path: Path) -> None:
    with pytest.raises(MembershipError, match="ask the hub's officer for a token"):
        load(tmp_path)


async def test_a_damaged_membership_says_so(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    await try_join(tmp_path / "node", enrolment)
    (tmp_path / "node" / MEMBERSHIP_FILE).write_bytes(b"\xff\xff")
    with pytest.raises(MembershipError, match="is damaged"):
        load(tmp_path / "node")


async def test_too_many_or_foreign_hub_keys_are_not_taken(
    tmp_path: Path, exchange: ExchangeHub, enrolment: EnrolmentHub
) -> None:
    joined = await try_join(tmp_path / "node", enrolment)
    hub = exchange.hub
    many = [hub.certify(HUB, hub.encryption) for _ in range(33)]
    with pytest.raises(MembershipError, match="33 new keys"):
        joined.learn_hub_keys(many)
    with pytest.raises(MembershipError, match="presented as one of"):
        joined.learn_hub_keys([hub.certify(OTHER_NODE, hub.encryption)])
    joined.learn_hub_keys(many[:2])
    joined.learn_hub_keys(many[:2])
    assert len(load(tmp_path / "node").joined.hub_keys) == 3


async def test_a_repr_of_a_membership_shows_no_key(tmp_path: Path, enrolment: EnrolmentHub) -> None:
    joined = await try_join(tmp_path / "node", enrolment)
    assert "PRIVATE" not in repr(joined)
    assert "signing" not in repr(joined.keys)


def test_custody_of_others_is_refused() -> None:
    hub = make_hub()
    register = statement_pb2.CustodyRegister(
        hub=HUB, version=1, rows=[statement_pb2.CustodyRow(member=OTHER_NODE)]
    )
    signed = sign_custody(hub.signing, register)
    with pytest.raises(RemoteSyncError, match="names"):
        open_custody(signed, hub.keyring(), hub=HUB, member=NODE, at_ms=NOW_MS)


async def test_a_join_that_waits_for_the_officer_goes_on_with_the_same_request(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    directory = tmp_path / "node"
    enrolment.pending = enrolment_pb2.Pending(request="request-7", retry_after_s=1)
    with pytest.raises(JoinPendingError, match="yixin hub approve request-7") as waiting:
        await try_join(directory, enrolment)
    keys = load_keys(directory)
    digest = keys_digest(
        keys.signing.verifying.public_key,
        b"",
        keys.encryption.public_bytes,
        tls_public_key(keys.tls_key_pem),
    )
    assert waiting.value.fingerprint == fingerprint(digest)
    assert waiting.value.retry_after_s == 5
    assert not is_joined(directory)

    # The officer came back from lunch: the token has expired, the request counts.
    enrolment.pending = None
    late = TLS_NOW + timedelta(hours=2)
    joined = await join(
        directory, enrolment.token.encode(), kind="node", post_quantum=False, now=late
    )

    assert joined.member_id == NODE
    assert len(set(enrolment.requests)) == 1
    assert find_address(directory) == enrolment.token.enrolment_address
    assert len(own_certificates(directory)) == 2


async def test_a_join_again_refuses_a_revocation_list_that_is_older_than_seen(
    tmp_path: Path, enrolment: EnrolmentHub
) -> None:
    hub = enrolment.exchange.hub
    directory = tmp_path / "node"

    def listed(response: enrolment_pb2.JoinResponse, version: int) -> None:
        response.revocations.CopyFrom(
            sign_revocations(
                hub.signing,
                hub=HUB,
                version=version,
                at_ms=NOW_MS,
                next_ms=NOW_MS + 1,
                rows=[],
            )
        )

    enrolment.change = lambda response: listed(response, 5)
    assert (await try_join(directory, enrolment)).revocations_version == 5
    enrolment.change = lambda response: listed(response, 4)
    with pytest.raises(JoinRefusedError, match=r"version 4 .* version 5 was seen"):
        await try_join(directory, enrolment)
    assert load(directory).revocations_version == 5
