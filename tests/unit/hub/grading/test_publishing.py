from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import delete, select

from hub.domain.custody import Custody
from hub.domain.members import InstitutionCode, MemberId
from hub.errors import NotGradedError, NotPublishedError
from hub.grading import (
    Publication,
    Signer,
    mailing,
    publish,
    publishing,
    push_payloads,
    pushes,
    regrade,
)
from hub.grading.classes import pushed_classes
from hub.intake.pushes import decode_push
from hub.store import custody
from hub.store.engine import reading, writing
from hub.store.grading_tables import publication, published_statement
from hub.store.log import leaves
from hub.store.tables import custody as custody_table
from protos.yixin.v1 import statement_pb2, transparency_pb2
from scoring_kernel.inputs import InputTable
from scoring_kernel.reference import Reference, ReferenceValue
from scoring_kernel.scoring import score
from scoring_kernel.windows import window_inputs
from security.errors import BadSignatureError
from security.exchange.outbox import Outbox
from security.exchange.tables import outbox as outbox_table
from security.group_signature import Proof, verify_member
from security.keys import Signature, SigningKey
from tests.support.grading_world import HOSPITALS, NOW, PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.items import Column
    from tests.support.grading_world import World

HUB = "yixin://330300/hub/city"
FIRST = MemberId("yixin://330302/node/H33030200001")
COUNTY = MemberId("yixin://330302/node/county")
KEY = SigningKey.generate(post_quantum=True)


def custody_row(code: str, member: MemberId, from_month: int, to_month: int = 0) -> Custody:
    return Custody(
        institution=InstitutionCode(code),
        measure_set="*",
        member=member,
        from_month=from_month,
        to_month=to_month,
        name="医院",
        level="2",
        type="general",
        division="330302",
    )


@pytest.fixture
def graded(world: World) -> World:
    """A graded city: the first hospital has its own node, the county holds ten, one has none."""
    world.grade()
    with writing(world.engine) as connection:
        connection.execute(delete(custody_table))
        custody.propose(connection, FIRST, [custody_row(HOSPITALS[0], FIRST, 202501)])
        rows = [custody_row(code, COUNTY, 202501) for code in HOSPITALS[1:11]]
        # The last hospital's custodian ended before the period began.
        ended = custody_row(HOSPITALS[11], COUNTY, 202501, 202512)
        custody.propose(connection, COUNTY, [*rows, ended])
        custody.activate(connection, FIRST)
        custody.activate(connection, COUNTY)
    return world


def publish_now(world: World) -> Publication:
    (made,) = publish(
        world.engine,
        Outbox(world.vault),
        world.catalog,
        vault=world.vault,
        signer=Signer(hub=HUB, key=KEY),
        period=PERIOD,
        now=NOW,
    )
    return made


def sent(world: World, member: str | None = None) -> list[statement_pb2.SignedGradeStatement]:
    """Every statement in the outbox, opened as the member would."""
    with reading(world.engine) as connection:
        query = select(outbox_table).order_by(outbox_table.c.id)
        rows = connection.execute(query).mappings().all()
    payloads = [
        world.vault.open(row["payload"], f"x_outbox/{row['token']}")
        for row in rows
        if member in {None, row["recipient"]}
    ]
    return list(
        chain.from_iterable(
            statement_pb2.GradeStatements.FromString(payload).statements for payload in payloads
        )
    )


def verified(signed: statement_pb2.SignedGradeStatement) -> statement_pb2.GradeStatement:
    verify_member(
        KEY.verifying,
        publishing.PUBLICATION_TYPE,
        signed.body,
        Proof(leaf_index=signed.leaf_index, group_size=signed.group_size, path=tuple(signed.path)),
        Signature(classical=signed.signature, post_quantum=signed.pq_signature),
    )
    return statement_pb2.GradeStatement.FromString(signed.body)


def state_of(world: World) -> tuple[Sequence[object], ...]:
    with reading(world.engine) as connection:
        return tuple(
            connection.execute(select(table).order_by(*table.primary_key)).fetchall()
            for table in (publication, published_statement, outbox_table)
        )


def test_every_custodian_gets_its_own_institutions_signed_by_the_hub(graded: World) -> None:
    report = publish_now(graded)
    assert (report.is_new, report.statements, report.without_custodian) == (True, 12, 1)
    assert report.sent == {FIRST: 1, COUNTY: 10}
    assert [verified(one).subject for one in sent(graded, FIRST)] == [HOSPITALS[0]]
    assert [verified(one).subject for one in sent(graded, COUNTY)] == list(HOSPITALS[1:11])


def test_a_changed_statement_does_not_verify(graded: World) -> None:
    publish_now(graded)
    (signed,) = sent(graded, FIRST)
    signed.body = signed.body.replace(b"excellent", b"excellenT")
    with pytest.raises(BadSignatureError):
        verified(signed)


def test_the_statement_lets_the_custodian_score_to_the_same_points(graded: World) -> None:
    publish_now(graded)
    model = graded.catalog.models["designated_medical_institution"]
    statements = [verified(one) for one in sent(graded)]
    codes = [one.subject for one in statements]
    parts: dict[str, Column] = {}
    with reading(graded.engine) as connection:
        for name, measure_set in graded.catalog.measure_sets.items():
            months = (*PERIOD.base().months, *PERIOD.months)
            monthly = graded.statements.monthly(connection, name, months)
            parts |= window_inputs(measure_set, monthly, codes, PERIOD)
    for row, one in enumerate(statements):
        for value in one.inputs:
            assert value.column.startswith("item.")
            held, known = parts.setdefault(
                value.column, (np.zeros(len(codes), np.int64), np.zeros(len(codes), np.bool_))
            )
            held[row], known[row] = value.value, True
    levels = ["2" if code < HOSPITALS[6] else "1" for code in codes]
    inputs = InputTable.assemble(model, codes, levels, ["general"] * len(codes), parts)
    reference = Reference.from_values(
        [
            ReferenceValue(
                indicator=value.indicator,
                statistic=value.statistic,
                peer_group=value.peer_group,
                value_micro=value.value_micro,
            )
            for one in statements
            for value in one.reference
        ],
        model_digest=model.digest,
        day=PERIOD.last_day,
    )
    scores = score(model, inputs, reference, PERIOD.last_day)
    measured = inputs.select([name for name in inputs.columns if not name.startswith("item.")])
    for row, one in enumerate(statements):
        assert [points.points_centi for points in one.points] == scores.points_centi[row].tolist()
        assert (one.total_centi, one.grade) == (int(scores.total_centi[row]), scores.grades[row])
        assert one.measures_digest == measured.digest(row)
        assert one.model_digest == model.digest
        assert (one.basis, one.day, one.version) == ("proposal", 20260630, 1)


def test_the_root_is_logged_once_as_a_publication(graded: World) -> None:
    report = publish_now(graded)
    with reading(graded.engine) as connection:
        (stored,) = leaves(connection, report.log_index, report.log_index + 1)
    leaf = transparency_pb2.LogLeaf.FromString(stored.leaf)
    assert leaf.kind == transparency_pb2.LOG_KIND_PUBLICATION
    assert leaf.envelope_hash == report.root
    assert (leaf.sender, leaf.period, leaf.payload_type) == (HUB, "2026H1", "publication")
    assert leaf.logged_at_ms == int(NOW.timestamp() * 1000)


def test_publishing_the_same_run_twice_changes_nothing(graded: World) -> None:
    first = publish_now(graded)
    before = state_of(graded)
    (again,) = publish(
        graded.engine,
        Outbox(graded.vault),
        graded.catalog,
        vault=graded.vault,
        signer=Signer(hub=HUB, key=KEY),
        period=PERIOD,
        now=NOW + timedelta(days=1),
    )
    assert state_of(graded) == before
    assert (again.is_new, again.root, again.log_index) == (False, first.root, first.log_index)
    assert again.sent == {}


def test_after_an_appeal_only_the_new_version_is_published(graded: World) -> None:
    first = publish_now(graded)
    graded.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,50.00"])
    regrade(
        graded.engine,
        graded.statements,
        graded.catalog,
        vault=graded.vault,
        subject=HOSPITALS[0],
        period=PERIOD,
        now=NOW,
    )
    second = publish_now(graded)
    assert (second.is_new, second.statements, second.sent) == (True, 1, {FIRST: 1})
    assert second.log_index == first.log_index + 1
    statements = [verified(one) for one in sent(graded, FIRST)]
    assert [one.version for one in statements] == [1, 2]
    assert statements[0].reference_digest == statements[1].reference_digest


def test_large_publications_are_cut_into_batches(
    graded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "TARGET_BYTES", 30_000)
    report = publish_now(graded)
    assert report.sent == {FIRST: 1, COUNTY: 10}
    with reading(graded.engine) as connection:
        sizes = connection.execute(
            select(outbox_table.c.payload_bytes).where(outbox_table.c.recipient == COUNTY)
        ).scalars()
        found = list(sizes)
    assert len(found) > 1
    assert max(found) <= 30_000
    assert len(sent(graded, COUNTY)) == 10


def test_what_was_not_graded_cannot_be_published(world: World) -> None:
    with pytest.raises(NotGradedError, match="2026H1 was not graded yet"):
        publish_now(world)


def test_a_push_names_the_published_grades_and_statements(graded: World) -> None:
    report = publish_now(graded)
    with reading(graded.engine) as connection:
        payloads = list(
            push_payloads(connection, graded.catalog, PERIOD, pushed_classes(graded.catalog))
        )
        assert payloads == list(
            push_payloads(connection, graded.catalog, PERIOD, pushed_classes(graded.catalog))
        )
    (push,) = (decode_push(payload) for payload in payloads)
    assert (push.period, push.publication_root) == ("2026H1", report.root)
    assert [one.subject for one in push.grades] == list(HOSPITALS)
    bodies = {verified(one).subject: one.body for one in sent(graded)}
    for one in push.grades:
        if one.subject in bodies:
            statement = statement_pb2.GradeStatement.FromString(bodies[one.subject])
            assert one.statement_digest == hashlib.sha256(bodies[one.subject]).digest()
            assert (one.total_centi, one.grade) == (statement.total_centi, statement.grade)
            assert (one.version, one.basis) == (statement.version, statement.basis)
            assert one.model_digest == statement.model_digest


def test_a_push_after_an_appeal_holds_each_subject_once_under_its_own_root(
    graded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "GRADES_PER_PAYLOAD", 5)
    first = publish_now(graded)
    graded.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,50.00"])
    graded.grade()
    second = publish_now(graded)
    with reading(graded.engine) as connection:
        found = [
            decode_push(payload)
            for payload in push_payloads(
                connection, graded.catalog, PERIOD, pushed_classes(graded.catalog)
            )
        ]
    assert [push.publication_root for push in found] == [first.root] * 3 + [second.root]
    assert [len(push.grades) for push in found] == [5, 5, 1, 1]
    subjects = [one.subject for push in found for one in push.grades]
    assert sorted(subjects) == sorted(HOSPITALS)
    assert found[-1].grades[0].version == 2


def test_what_was_not_published_cannot_be_pushed(graded: World) -> None:
    with (
        reading(graded.engine) as connection,
        pytest.raises(NotPublishedError, match="`yixin hub publish`"),
    ):
        list(push_payloads(connection, graded.catalog, PERIOD, pushed_classes(graded.catalog)))
