"""The slot law against the kernel's reference, through the database, in random orders."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain.members import InstitutionCode, MemberId
from hub.domain.slots import SlotVersion, StatedSlot
from hub.domain.statements import OfferedSlot
from hub.store.database import open_database
from hub.store.engine import writing
from hub.store.slot_index import SlotBook, SlotKey
from hub.store.tables import slot, slot_part
from scoring_kernel.measures import SlotRows, replace_slots

if TYPE_CHECKING:
    import pytest

MEMBER = MemberId("yixin://330302/node/a")
INSTITUTIONS = [InstitutionCode(f"H3303020000{n}") for n in (1, 2)]

part = st.tuples(
    st.sampled_from(INSTITUTIONS),
    st.sampled_from([202601, 202602]),
    st.integers(1, 2),
    st.integers(1, 4),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(groups=st.lists(st.lists(part, min_size=1, max_size=6), min_size=1, max_size=6))
def test_commit_groups_in_any_order_leave_what_the_kernels_law_leaves(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[tuple[str, int, int, int]]]
) -> None:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('law') / 'hub.db'}")
    held: dict[tuple[str, str, int], SlotRows] = {}
    indexes = itertools.count()
    for group in groups:
        with writing(engine) as connection:
            book = SlotBook(connection, [SlotKey("settlement", one[0], one[1]) for one in group])
            for one in group:
                offer(book, one, next(indexes))
                institution, month, incarnation, version = one
                rows = SlotRows(
                    institution=institution,
                    measure_set="settlement",
                    month=month,
                    incarnation=incarnation,
                    version=version,
                    rows=(),
                )
                held = replace_slots(held, rows)
            book.write()

    with writing(engine) as connection:
        found = {
            (row.institution, row.measure_set, row.month): (row.incarnation, row.version)
            for row in connection.execute(slot.select())
        }
        assert list(connection.execute(slot_part.select())) == []
    engine.dispose()
    assert found == {key: (one.incarnation, one.version) for key, one in held.items()}


def offer(book: SlotBook, stating: tuple[str, int, int, int], log_index: int) -> None:
    institution, month, incarnation, version = stating
    offered = OfferedSlot(
        institution=InstitutionCode(institution),
        month=month,
        version=version,
        ledger_size=1,
        rows=1,
        digest=bytes(32),
        part=1,
        parts=1,
    )
    stated = StatedSlot(
        member=MEMBER,
        at=SlotVersion(incarnation=incarnation, version=version),
        digest=bytes(32),
        rows=1,
        parts=1,
    )
    book.offer(SlotKey("settlement", institution, month), offered, stated, log_index)
