from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.members import MemberId
from hub.domain.slots import SlotStep, SlotVersion, StatedSlot, slot_step
from scoring_kernel.measures import SlotRows, replace_slots

ANNA, BERT = MemberId("yixin://330302/node/a"), MemberId("yixin://330302/node/b")


def stated(
    version: int,
    *,
    incarnation: int = 1,
    parts: int = 1,
    member: MemberId = ANNA,
    digest: bytes = b"d",
) -> StatedSlot:
    at = SlotVersion(incarnation=incarnation, version=version)
    return StatedSlot(member=member, at=at, digest=digest, rows=1, parts=parts)


def test_the_first_statement_of_a_slot_replaces_nothing() -> None:
    step = slot_step(counting=None, collecting=None, offered=stated(1))

    assert step is SlotStep.REPLACE


def test_a_higher_order_replaces_and_a_lower_one_is_outdated() -> None:
    for newer, older in ((stated(2), stated(1)), (stated(1, incarnation=2), stated(9))):
        assert slot_step(counting=older, collecting=None, offered=newer) is SlotStep.REPLACE
        assert slot_step(counting=newer, collecting=None, offered=older) is SlotStep.OUTDATED


def test_the_same_statement_again_is_known_and_another_one_contradicts() -> None:
    held = stated(1)

    assert slot_step(counting=held, collecting=None, offered=stated(1)) is SlotStep.KNOWN
    contradiction = stated(1, digest=b"e")
    assert slot_step(counting=held, collecting=None, offered=contradiction) is SlotStep.CONTRADICTS


def test_parts_are_collected_beside_what_counts() -> None:
    part = stated(2, parts=2)

    assert slot_step(counting=stated(1), collecting=part, offered=part) is SlotStep.COLLECT
    assert slot_step(counting=None, collecting=part, offered=stated(2)) is SlotStep.CONTRADICTS


def test_a_statement_between_counts_if_it_is_complete_and_is_outdated_in_parts() -> None:
    newest = stated(5, parts=2)

    for counting in (None, stated(1)):
        assert slot_step(counting=counting, collecting=newest, offered=stated(3)) is SlotStep.COUNT
        in_parts = stated(3, parts=2)
        assert (
            slot_step(counting=counting, collecting=newest, offered=in_parts) is SlotStep.OUTDATED
        )
    assert slot_step(counting=stated(3), collecting=newest, offered=stated(3)) is SlotStep.KNOWN
    assert slot_step(counting=stated(4), collecting=newest, offered=stated(3)) is SlotStep.OUTDATED


def test_a_new_custodian_replaces_whatever_the_old_one_had_counted_to() -> None:
    held = stated(9, incarnation=7)

    step = slot_step(counting=held, collecting=None, offered=stated(1, member=BERT))

    assert step is SlotStep.REPLACE


orders = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=12)


@given(orders)
def test_in_any_order_and_with_any_repetition_the_newest_of_the_kernels_law_counts(
    order: list[tuple[int, int]],
) -> None:
    counting: StatedSlot | None = None
    held: dict[tuple[str, str, int], SlotRows] = {}
    for incarnation, version in order:
        offered = stated(version, incarnation=incarnation)
        if slot_step(counting=counting, collecting=None, offered=offered) is SlotStep.REPLACE:
            counting = offered
        rows = SlotRows(
            institution="H33030200001",
            measure_set="settlement",
            month=202601,
            incarnation=incarnation,
            version=version,
            rows=(),
        )
        held = replace_slots(held, rows)

    (law,) = held.values()
    assert counting is not None
    assert (counting.at.incarnation, counting.at.version) == (law.incarnation, law.version)
