"""Renewal over the real enrolment port: new certificates, new keys, answers that do not hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from protos.yixin.v1 import enrolment_pb2, identity_pb2
from security.certificates import Revoked, sign_revocations
from security.errors import (
    HubUnreachableError,
    JoinPendingError,
    JoinRefusedError,
    MembershipError,
    UntrustedCertificateError,
)
from security.exchange.join import join
from security.exchange.key_files import KeyFile, find_epochs
from security.exchange.key_lives import prune_keys
from security.exchange.member_files import ADDRESS_FILE, own_certificates
from security.exchange.membership import MEMBERSHIP_FILE, load
from security.exchange.renew import REQUEST_FILE, renew, renewal_due
from security.keys import EncryptionKey
from security.moments import to_ms
from security.private_files import write_private
from security.tls import validity
from tests.support.enrolment_hub import enrolling
from tests.support.exchange_enrolling import TLS_NOW
from tests.support.exchange_hub import serving
from tests.support.exchange_member import numbers, open_member
from tests.support.members import DAY_MS, NODE, NOW_MS, OTHER_NODE, YEAR_MS

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


@pytest.fixture
async def joined(tmp_path: Path, enrolment: EnrolmentHub) -> Membership:
    return await join(
        tmp_path / "member",
        enrolment.token.encode(),
        kind="node",
        post_quantum=False,
        now=TLS_NOW,
    )


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.key"))


async def test_tls_is_renewed_under_its_key_so_that_desks_still_know_the_member(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    renewed = await renew(joined, now=TLS_NOW, new_epoch=False)

    assert renewed.tls_certificate_pem != joined.tls_certificate_pem
    assert renewed.tls_key_pem == joined.tls_key_pem
    assert files(joined.directory) == ["encryption-0001.key", "signing-0001.key", "tls-0001.key"]
    assert len(enrolment.renewals) == 1


async def test_tls_has_a_new_key_when_a_person_asks_and_the_other_keys_stay(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    renewed = await renew(joined, now=TLS_NOW, new_epoch=False, new_tls=True)

    assert renewed.tls_certificate_pem != joined.tls_certificate_pem
    assert renewed.tls_key_pem != joined.tls_key_pem
    assert renewed.signing_key.key_id == joined.signing_key.key_id
    assert files(joined.directory) == [
        "encryption-0001.key",
        "signing-0001.key",
        "tls-0002.key",
    ]
    assert load(joined.directory).tls_certificate_pem == renewed.tls_certificate_pem
    assert len(enrolment.renewals) == 1


async def test_the_next_channel_uses_what_was_renewed_and_the_backlog_still_opens(
    tmp_path: Path, joined: Membership, enrolment: EnrolmentHub
) -> None:
    hub = enrolment.exchange
    hub.send_down(b"sealed to the old key")
    with hub.engine.begin() as conn:
        hub.outbox.seal_ahead(conn, NODE, hub.sealing_context(NODE))

    renewed = await renew(joined, now=TLS_NOW, new_epoch=True)
    hub.send_down(b"sealed to the new key")
    member = open_member(tmp_path, renewed)
    member.append(*numbers(2))

    assert renewed.signing_key.key_id != joined.signing_key.key_id
    assert renewed.keys.encryption.key_id != joined.keys.encryption.key_id
    assert (await member.sync()).receipts == 2
    assert await member.collect() == 2
    with member.engine.begin() as conn:
        found = member.inbox.payloads(conn, "grade_statements")
    assert [one.payload for one in found] == [b"sealed to the old key", b"sealed to the new key"]
    assert {row.header.sender_key_id for row in hub.chain().stored} == {renewed.signing_key.key_id}


async def test_a_lost_answer_costs_nothing_and_makes_no_further_keys(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    enrolment.fail = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(HubUnreachableError, match="nothing is lost"):
        await renew(joined, now=TLS_NOW, new_epoch=True, new_tls=True)
    assert load(joined.directory).tls_certificate_pem == joined.tls_certificate_pem

    await renew(load(joined.directory), now=TLS_NOW, new_epoch=True, new_tls=True)

    first, second = enrolment.renewals
    assert first == second
    assert not (joined.directory / REQUEST_FILE).exists()
    assert files(joined.directory) == [
        "encryption-0001.key",
        "encryption-0002.key",
        "signing-0001.key",
        "signing-0002.key",
        "tls-0002.key",
    ]


async def test_the_membership_of_before_stands_when_a_renewal_dies_before_its_last_write(
    joined: Membership, enrolment: EnrolmentHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("security.exchange.renew.save_join", dies)
        with pytest.raises(KeyboardInterrupt):
            await renew(joined, now=TLS_NOW, new_epoch=True)

    found = load(joined.directory)
    assert found.signing_key.key_id == joined.signing_key.key_id
    assert found.tls_key_pem == joined.tls_key_pem
    renewed = await renew(found, now=TLS_NOW, new_epoch=True)
    assert renewed.signing_key.key_id != joined.signing_key.key_id
    assert len(find_epochs(joined.directory, KeyFile.SIGNING)) == 2
    assert len(enrolment.renewals) == 2


async def test_an_officer_who_has_to_approve_is_named_with_our_own_fingerprint(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    enrolment.pending = enrolment_pb2.Pending(
        request="r\x1b[2J17", fingerprint="what the hub says", retry_after_s=10**6
    )
    with pytest.raises(JoinPendingError, match="yixin hub approve r2J17") as first:
        await renew(joined, now=TLS_NOW, new_epoch=False)
    with pytest.raises(JoinPendingError) as again:
        await renew(joined, now=TLS_NOW, new_epoch=False)

    assert first.value.fingerprint == again.value.fingerprint
    assert "what the hub says" not in str(first.value)
    assert first.value.retry_after_s == 3600
    assert enrolment.renewals[0] == enrolment.renewals[1]
    enrolment.pending = None
    renewed = await renew(joined, now=TLS_NOW, new_epoch=False)
    assert renewed.tls_certificate_pem != joined.tls_certificate_pem


def _other_tls(response: enrolment_pb2.RenewResponse) -> None:
    response.tls_certificate_der = b"none"


def _no_certificates(response: enrolment_pb2.RenewResponse) -> None:
    del response.certificates[:]


def _cut_certificate(response: enrolment_pb2.RenewResponse) -> None:
    response.certificates[0].signature = bytes(64)


@pytest.mark.parametrize("change", [_other_tls, _no_certificates, _cut_certificate])
async def test_an_answer_that_does_not_hold_changes_nothing(
    joined: Membership,
    enrolment: EnrolmentHub,
    change: Callable[[enrolment_pb2.RenewResponse], None],
) -> None:
    enrolment.change_renewal = change
    before = (joined.directory / MEMBERSHIP_FILE).read_bytes()

    with pytest.raises(JoinRefusedError, match="does not hold"):
        await renew(joined, now=TLS_NOW, new_epoch=True)

    assert (joined.directory / MEMBERSHIP_FILE).read_bytes() == before
    assert load(joined.directory).signing_key.key_id == joined.signing_key.key_id


async def test_certificates_of_another_member_or_for_other_keys_are_refused(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    hub = enrolment.exchange

    def of_another(response: enrolment_pb2.RenewResponse) -> None:
        other = hub.answer(
            OTHER_NODE,
            joined.signing_key.verifying,
            "INTL-PQ",
            joined.keys.encryption.public_bytes,
            enrolment_pb2.RenewBody.FromString(enrolment.renewals[-1].body).tls_csr_der,
        )
        response.tls_certificate_der = other.tls_certificate_der

    def of_the_old_key(response: enrolment_pb2.RenewResponse) -> None:
        response.tls_certificate_der = joined.joined.tls_certificate_der

    for change in (of_another, of_the_old_key):
        enrolment.change_renewal = change
        with pytest.raises(JoinRefusedError, match="does not hold"):
            await renew(joined, now=TLS_NOW, new_epoch=False, new_tls=True)
    assert load(joined.directory).tls_certificate_pem == joined.tls_certificate_pem


async def test_a_revocation_list_that_is_older_than_seen_is_refused(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    hub = enrolment.exchange.hub

    def listed(version: int) -> identity_pb2.RevocationList:
        return sign_revocations(
            hub.signing,
            hub=hub.hub_id,
            version=version,
            at_ms=NOW_MS,
            next_ms=NOW_MS + DAY_MS,
            rows=[Revoked(member=OTHER_NODE, since_ms=NOW_MS, serial=900)],
        )

    assert joined.learn_revocations(listed(3))
    assert not joined.learn_revocations(listed(3))
    assert load(joined.directory).revocations_version == 3
    with pytest.raises(UntrustedCertificateError, match="3 was seen before"):
        joined.learn_revocations(listed(2))

    enrolment.change_renewal = lambda response: response.revocations.CopyFrom(listed(2))
    with pytest.raises(JoinRefusedError, match="3 was seen before"):
        await renew(joined, now=TLS_NOW, new_epoch=False)
    enrolment.change_renewal = lambda response: response.revocations.CopyFrom(listed(4))
    assert (await renew(joined, now=TLS_NOW, new_epoch=False)).revocations_version == 4


async def test_a_renewal_is_due_at_half_of_each_certificates_time(joined: Membership) -> None:
    begins, ends = validity(joined.tls_certificate_pem)
    half = begins + (ends - begins) / 2

    assert not renewal_due(joined, half - timedelta(seconds=1))
    assert renewal_due(joined, half).tls
    assert not renewal_due(joined, half).keys
    key = joined.certified[0]
    at_half = TLS_NOW + timedelta(
        milliseconds=(key.not_before_ms + key.not_after_ms) // 2 - to_ms(TLS_NOW)
    )
    assert renewal_due(joined, at_half + timedelta(seconds=1)).keys


async def test_a_key_that_was_certified_again_is_not_younger_for_that(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    hub = enrolment.exchange.hub
    half_year = timedelta(days=185)

    def longer(response: enrolment_pb2.RenewResponse) -> None:
        del response.certificates[:]
        for certificate in (
            joined.joined.signing_certificate,
            joined.joined.encryption_certificate,
        ):
            body = identity_pb2.KeyCertificateBody.FromString(certificate.body)
            response.certificates.append(
                hub.certify(
                    NODE,
                    joined.signing_key,
                    use=body.use,
                    public_key=body.public_key,
                    not_before_ms=NOW_MS + 180 * DAY_MS,
                    not_after_ms=NOW_MS + 180 * DAY_MS + YEAR_MS,
                )
            )

    enrolment.change_renewal = longer
    renewed = await renew(joined, now=TLS_NOW, new_epoch=False)

    assert renewed.certified[0].not_after_ms == NOW_MS + 180 * DAY_MS + YEAR_MS
    assert renewal_due(renewed, TLS_NOW + half_year).keys


async def test_a_retired_decryption_key_goes_when_nothing_sealed_to_it_can_come(
    joined: Membership,
) -> None:
    renewed = await renew(joined, now=TLS_NOW, new_epoch=True)
    retired = joined.keys.encryption.key_id
    ends = joined.certified[1].not_after_ms

    assert prune_keys(renewed, ends + 400 * DAY_MS) == 0
    assert retired in load(joined.directory).decryption_keys
    assert prune_keys(renewed, ends + 400 * DAY_MS + 1) == 1
    assert retired not in load(joined.directory).decryption_keys
    held = find_epochs(joined.directory, KeyFile.ENCRYPTION)
    assert [EncryptionKey.load(path).key_id for path in held.values()] == [
        renewed.keys.encryption.key_id
    ]
    # The key in force stays, however long the member was away.
    assert prune_keys(load(joined.directory), ends + 9_000 * DAY_MS) == 0


async def test_two_signing_epochs_stay_and_every_certificate_is_kept(joined: Membership) -> None:
    latest = joined
    for _ in range(3):
        latest = await renew(latest, now=TLS_NOW, new_epoch=True, new_tls=True)

    assert list(find_epochs(joined.directory, KeyFile.SIGNING)) == [3, 4]
    assert list(find_epochs(joined.directory, KeyFile.TLS)) == [4]
    assert list(find_epochs(joined.directory, KeyFile.ENCRYPTION)) == [1, 2, 3, 4]
    kept = own_certificates(joined.directory)
    assert len(kept) == 8
    for certificate in kept:
        key = latest.keyring.add(certificate)
        assert latest.keyring.find(NODE, key.key_id, key.use, NOW_MS).key_id == key.key_id


async def test_a_member_of_an_earlier_release_is_asked_for_the_address_once(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    (joined.directory / ADDRESS_FILE).unlink()
    with pytest.raises(MembershipError, match="yixin node renew --address"):
        await renew(joined, now=TLS_NOW, new_epoch=False)

    address = enrolment.token.enrolment_address
    renewed = await renew(joined, now=TLS_NOW, new_epoch=False, address=address)

    assert (await renew(renewed, now=TLS_NOW, new_epoch=False)).member_id == NODE


async def test_a_hub_that_refuses_is_told_as_it_said_it(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    enrolment.fail = grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(JoinRefusedError, match=r"refused to renew .* the hub's wording"):
        await renew(joined, now=TLS_NOW, new_epoch=True)

    later = TLS_NOW + timedelta(hours=1)
    await renew(joined, now=later, new_epoch=True)

    bodies = [enrolment_pb2.RenewBody.FromString(one.body) for one in enrolment.renewals]
    assert bodies[0].at_ms != bodies[1].at_ms
    assert bodies[0].signing_public_key == bodies[1].signing_public_key


async def test_a_request_file_that_is_damaged_is_made_anew(
    joined: Membership, enrolment: EnrolmentHub
) -> None:
    for content in (b"", b"\xff", enrolment_pb2.RenewRequest(body=b"x").SerializeToString()):
        (joined.directory / REQUEST_FILE).unlink(missing_ok=True)
        write_private(joined.directory / REQUEST_FILE, content)
        await renew(load(joined.directory), now=TLS_NOW, new_epoch=False)
    assert len(enrolment.renewals) == 3
