"""A member of suite GM at the wire: what its hub tells it is signed with SM2 too, or refused."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from hub.audit_jobs import AuditJobs
from hub.exchange.revoking import revoke_member
from hub.intake import committing
from hub.store import certifying
from hub.store.engine import reading, writing
from hub.store.epochs import HubEpochs
from hub.store.policies import require_suite
from hub.store.tables import delivery
from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.audit import Trust, Verdict, verify_bundle
from security.certificates import SIGNING
from security.countersigning import UNCHECKED, countersign_group
from security.envelope import parse_envelope, parse_header
from security.errors import (
    RemoteSyncError,
    SuitePolicyError,
    UntrustedEnvelopeError,
    UntrustedReceiptError,
)
from security.exchange import tables
from security.exchange.renew import renew
from security.keys import SigningKey
from security.progress import no_progress
from security.signatures import SignatureScheme
from tests.support.hub_city import NODE, Slot, batch
from tests.support.members import OTHER_NODE
from tests.support.national import without_tongsuopy
from tests.support.suite_nodes import queue_for_member, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.hub_city import City
    from tests.support.suite_nodes import Node


@contextmanager
def older_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the hub have no SM2 key, as before there were any."""
    with monkeypatch.context() as patch:
        patch.setattr(certifying, "is_countersigning", lambda _: False)
        patch.setattr(HubEpochs, "current", _without_sm2(HubEpochs.current))
        yield


def _without_sm2(current: Any) -> Any:  # noqa: ANN401 - a method
    def found(self: HubEpochs, suite: str = "INTL-PQ") -> Any:  # noqa: ANN401
        return None if suite == "GM" else current(self, suite)

    return found


def sm2_keys(node: Node) -> list[str]:
    """SM2 keys of the hub that the member holds, certified."""
    bodies = [
        identity_pb2.KeyCertificateBody.FromString(one.body)
        for one in node.membership.joined.hub_keys
    ]
    return [one.key_id for one in bodies if (one.use, one.suite) == (SIGNING, "GM")]


def receipts(node: Node) -> list[exchange_pb2.Receipt]:
    with node.engine.begin() as connection:
        found = connection.execute(select(tables.receipts.c.receipt)).scalars().all()
    return [exchange_pb2.Receipt.FromString(row) for row in found]


def delivered(city: City) -> list[envelope_pb2.EnvelopeHeader]:
    """Headers of all that the hub sealed for the member, in the order of its log."""
    with reading(city.parts.engine) as connection:
        rows = connection.execute(select(delivery.c.raw).order_by(delivery.c.log_index)).scalars()
        return [parse_header(parse_envelope(row)) for row in rows]


async def test_a_member_of_gm_learns_the_key_and_gets_everything_signed_by_it(
    city: City, tmp_path: Path
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("GM")
        (key_id,) = sm2_keys(node)
        await node.send(5)
        (receipt,) = receipts(node)
        assert exchange_pb2.ReceiptBody.FromString(receipt.body).sm2_key_id == key_id
        assert (len(receipt.signature), len(receipt.sm2_signature)) == (64, 64)
        queue_for_member(city, b"statement")
        assert await node.collect() == 1
        assert [one.sm2_key_id for one in delivered(city)] == [key_id]


async def test_an_auditor_checks_sm2_where_it_can_and_says_where_it_cannot(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("GM")
        await node.send(5)
        queue_for_member(city, b"statement")
        await node.collect()
    bundle, trust = tmp_path / "bundle", Trust.of(city.parts.identity.anchor)
    AuditJobs(parts=city.parts).audit_export({"out": str(bundle)}, no_progress)

    report = verify_bundle(bundle, trust)
    assert (report.verdict, list(report.all_failures())) == (Verdict.VALID, [])

    with without_tongsuopy(monkeypatch):
        report = verify_bundle(bundle, trust)
    # The member's envelope is signed by SM2 alone; the delivery and the receipt by the others too.
    found = {failure.check: failure for _, failure in report.all_failures()}
    assert sorted(found) == ["signature_unchecked", "sm2_unchecked"]
    assert found["signature_unchecked"].verdict is report.verdict is Verdict.INDETERMINATE
    assert found["sm2_unchecked"].verdict is Verdict.VALID
    assert found["sm2_unchecked"].detail == f"of 2 exchanges {UNCHECKED}"


async def test_a_member_that_renews_under_gm_learns_the_key(city: City, tmp_path: Path) -> None:
    async with served(city, tmp_path) as node:
        await node.join("INTL-PQ")
        assert sm2_keys(node) == []
        with writing(city.parts.engine) as connection:
            require_suite(connection, city.parts.identity, NODE, "GM", city.clock.ms)
        with pytest.raises(SuitePolicyError):
            await node.sync()
        node.membership = await renew(node.membership, now=city.clock(), new_epoch=True)
        assert len(sm2_keys(node)) == 1
        await node.send(1)
        assert all(one.sm2_signature for one in receipts(node))


async def test_an_older_hub_is_refused_and_once_updated_loses_nothing(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = ExitStack()
    older.enter_context(older_program(monkeypatch))
    async with served(city, tmp_path) as node:
        await node.join("GM")
        assert sm2_keys(node) == []
        node.state(1)
        node.seal_ahead()
        with pytest.raises(RemoteSyncError, match="members of suite GM require"):
            await node.sync()
        # Taken, and its receipt lost on the way; and something sealed that is not taken.
        (row,) = node.rows()
        city.learn(NODE)
        (given,) = city.submit(row.message())
        queue_for_member(city, b"statement")
        with pytest.raises(UntrustedEnvelopeError):
            await node.collect()
        older.close()
        city.clock.advance(seconds=1)

        await node.sync()
        assert receipts(node) == [given]
        assert len(sm2_keys(node)) == 1
        assert await node.collect() == 1
        before, anew = delivered(city)
        assert (before.sm2_key_id, anew.sm2_key_id) == ("", sm2_keys(node)[0])
        await node.send(2)
        assert [bool(one.sm2_signature) for one in receipts(node)] == [False, True]
    assert city.monthly(202601)["values"] == [2]


async def test_a_receipt_whose_sm2_signature_does_not_fit_is_refused(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("GM")
        forged = new_sm2()
        monkeypatch.setattr(
            committing, "countersign_group", lambda _, *parts: countersign_group(forged, *parts)
        )
        with pytest.raises(UntrustedReceiptError, match="does not fit"):
            await node.send(1)
        assert receipts(node) == []


async def test_in_one_commit_group_only_members_of_gm_get_the_second_signature(
    city: City, tmp_path: Path
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("GM")
        node.state(1)
        node.seal_ahead()
        other = city.enrol(tmp_path / "other", OTHER_NODE, "H33030300001")
        city.learn(NODE)
        both = [
            city.check(node.rows()[0].message()),
            city.check(other.seal(batch(Slot(institution="H33030300001"))), peer=OTHER_NODE),
        ]
        found = city.committer().commit(both, city.clock.ms)
        again = city.committer().commit(both, city.clock.ms)
    assert found == again
    national, usual = (one for one in found if isinstance(one, exchange_pb2.Receipt))
    assert (len(national.sm2_signature), usual.sm2_signature) == (64, b"")
    assert exchange_pb2.ReceiptBody.FromString(usual.body).sm2_key_id == ""


def test_revoked_with_the_hubs_other_keys_the_sm2_key_is_replaced_at_once(city: City) -> None:
    identity = city.parts.identity
    certifying.own_keys(city.parts.engine, identity, city.clock.ms, "GM")
    before = identity.sm2_epoch
    with writing(city.parts.engine) as connection:
        revoke_member(connection, identity, identity.hub, "theft", city.clock.ms)
    after = identity.sm2_epoch
    assert before is not None
    assert after is not None
    assert after.key.key_id != before.key.key_id


def new_sm2() -> SigningKey:
    return SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
