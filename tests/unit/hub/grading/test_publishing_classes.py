"""What leaves the hub, class by class: statements of staff, pushes, exchange of scores."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from hub.errors import NotPublishedError
from hub.grading import (
    Publication,
    Signer,
    class_lines,
    mailing,
    outcomes,
    publish,
    push_payloads,
)
from hub.grading.classes import pushed_classes
from hub.intake.pushes import decode_push
from hub.store.engine import reading
from hub.store.grading_tables import published_statement
from protos.yixin.v1 import statement_pb2
from security.exchange.outbox import Outbox
from security.exchange.tables import outbox as outbox_table
from security.group_signature import Proof, verify_member
from security.keys import Signature, SigningKey
from tests.support.class_world import (
    COUNT,
    NURSES,
    PERSONS,
    PHYSICIANS,
    list_dishonest,
    populate,
)
from tests.support.grading_world import CUSTODIAN, HOSPITALS, NOW, PERIOD

if TYPE_CHECKING:
    from tests.support.grading_world import World

HUB = "yixin://330300/hub/city"
KEY = SigningKey.generate(post_quantum=True)
PEOPLE = ("physician", "nurse", "pharmacist", "insured_person")


@pytest.fixture
def city(world: World) -> World:
    """A city whose staff, persons and organisations were graded; one nurse is on a list."""
    populate(world)
    list_dishonest(world, "l02", NURSES[0], "serious_dishonesty")
    world.entrust(*HOSPITALS)
    for named in (*PEOPLE, "employer"):
        world.grade(subject_class=named)
    return world


def publish_now(world: World, named: str | None = None) -> dict[str, Publication]:
    found = publish(
        world.engine,
        Outbox(world.vault),
        world.catalog,
        vault=world.vault,
        signer=Signer(hub=HUB, key=KEY),
        period=PERIOD,
        now=NOW,
        subject_class=named,
    )
    return {one.subject_class: one for one in found}


def sent(world: World) -> list[statement_pb2.GradeStatement]:
    """Every statement in the outbox, verified as the member would."""
    with reading(world.engine) as connection:
        rows = connection.execute(select(outbox_table).order_by(outbox_table.c.id)).mappings().all()
    payloads = [world.vault.open(row["payload"], f"x_outbox/{row['token']}") for row in rows]
    signed = chain.from_iterable(
        statement_pb2.GradeStatements.FromString(payload).statements for payload in payloads
    )
    found = []
    for one in signed:
        proof = Proof(leaf_index=one.leaf_index, group_size=one.group_size, path=tuple(one.path))
        signature = Signature(classical=one.signature, post_quantum=one.pq_signature)
        verify_member(KEY.verifying, "yixin/publication/v1", one.body, proof, signature)
        found.append(statement_pb2.GradeStatement.FromString(one.body))
    return found


def test_staff_are_told_to_the_custodian_of_their_institution_and_persons_to_nobody(
    city: World,
) -> None:
    found = publish_now(city)
    assert {name: one.statements for name, one in found.items()} == dict.fromkeys(
        ("employer", *sorted(PEOPLE)), COUNT
    )
    assert found["physician"].sent == found["nurse"].sent == {CUSTODIAN: COUNT}
    # The pharmacy where the pharmacists work is in nobody's custody.
    for name in ("pharmacist", "insured_person", "employer"):
        assert (found[name].sent, found[name].without_custodian) == ({}, COUNT)
    statements = sent(city)
    assert sorted(one.subject for one in statements) == sorted([*PHYSICIANS, *NURSES])
    # The custodian is not the subject: what departments said about staff does not go there.
    assert all(not one.inputs for one in statements)
    assert all(one.points and one.measures_digest for one in statements)


def test_a_statement_names_the_override_its_cap_and_the_earned_grade(city: World) -> None:
    publish_now(city, "nurse")
    (listed,) = (one for one in sent(city) if one.subject == NURSES[0])
    free = next(one for one in sent(city) if one.subject == NURSES[1])
    assert [(one.id, one.cap) for one in listed.overrides] == [("serious_dishonesty", "bad")]
    assert (listed.grade, listed.earned_grade) == ("bad", free.grade)
    assert (list(free.overrides), free.earned_grade) == ([], free.grade)


def test_one_class_can_be_published_alone_and_twice_changes_nothing(city: World) -> None:
    (alone,) = publish_now(city, "physician").values()
    assert (alone.subject_class, alone.is_new) == ("physician", True)
    with reading(city.engine) as connection:
        published = {one.subject_class: one.published for one in class_lines(connection)}
    assert [name for name, one in published.items() if one] == ["physician"]
    again = publish_now(city)
    assert [name for name, one in again.items() if not one.is_new] == ["physician"]
    assert again["physician"].root == alone.root
    assert not any(one.is_new for one in publish_now(city).values())


def test_batches_and_small_mailboxes_give_the_same_publication(
    city: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "BATCH", 2)
    monkeypatch.setattr("hub.grading.holding.BATCH", 2)
    monkeypatch.setattr(mailing, "WAITING_BYTES", 9_000)
    found = publish_now(city, "physician")["physician"]
    assert (found.statements, found.sent) == (COUNT, {CUSTODIAN: COUNT})
    assert [one.subject for one in sent(city)] == list(PHYSICIANS)
    with reading(city.engine) as connection:
        rows = connection.execute(
            select(published_statement).order_by(published_statement.c.leaf_index)
        ).mappings()
        stored = [(row["leaf_index"], row["subject"], row["digest"]) for row in rows]
        assert len(list(connection.execute(select(outbox_table)))) > 1
    assert [(index, subject) for index, subject, _ in stored] == list(enumerate(PHYSICIANS))
    assert {digest for *_, digest in stored} == {
        hashlib.sha256(one.SerializeToString(deterministic=True)).digest() for one in sent(city)
    }


def test_grades_of_insured_persons_never_go_up(city: World) -> None:
    publish_now(city, "person")
    with (
        reading(city.engine) as connection,
        pytest.raises(NotPublishedError, match="Nothing that goes to the parent hub"),
    ):
        list(push_payloads(connection, city.catalog, PERIOD, pushed_classes(city.catalog)))
    publish_now(city)
    with reading(city.engine) as connection:
        payloads = list(
            push_payloads(connection, city.catalog, PERIOD, pushed_classes(city.catalog))
        )
    pushed = [one for payload in payloads for one in decode_push(payload).grades]
    assert {one.subject_class for one in pushed} == {"physician", "nurse", "pharmacist", "employer"}
    assert len(pushed) == 4 * COUNT
    assert not any(person.encode() in payload for payload in payloads for person in PERSONS)
