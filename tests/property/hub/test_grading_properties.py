from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select

from hub.grading.report import distribute
from hub.store.grade_runs import BandName
from hub.store.grading_tables import item_row
from hub.store.item_rows import ItemRow, Source, load_rows, store_rows
from hub.store.metadata import metadata
from scoring_kernel import load_catalog
from scoring_kernel.model import NOT_RATED
from security.at_rest import Vault

ITEM = load_catalog().items["21"]
VAULT = Vault(bytes(32))
BANDS = tuple(BandName(id=name, name_zh=name) for name in ("a", "b", "c"))

batches = st.lists(
    st.dictionaries(st.sampled_from("123456"), st.integers(0, 3), max_size=6), max_size=6
)


def rows(batch: dict[str, int]) -> list[ItemRow]:
    return [
        ItemRow(
            key=f'["局","{number}"]',
            subject="H33030200001",
            period="",
            event_day=date(2026, 1, 1),
            values={"document_number": number, "amount_fen": amount, "day": date(2026, 1, 1)},
            line=2,
        )
        for number, amount in batch.items()
    ]


@settings(max_examples=60, deadline=None)
@given(batches=batches)
def test_the_last_version_counts_and_nothing_is_overwritten(
    batches: list[dict[str, int]],
) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    source = Source(sha256=bytes(32), imported_at_ms=0, keep_existing=False)
    expected: dict[str, int] = {}
    changes = 0
    with engine.begin() as connection:
        for batch in batches:
            changes += sum(expected.get(key) != value for key, value in batch.items())
            expected |= batch
            stored = store_rows(connection, VAULT, ITEM.number, rows(batch), source)
            assert stored.added + stored.corrected + stored.unchanged == len(batch)
            again = store_rows(connection, VAULT, ITEM.number, rows(batch), source)
            assert (again.added, again.corrected, again.unchanged) == (0, 0, len(batch))
        held = {
            str(row["document_number"]): row["amount_fen"]
            for row in load_rows(connection, VAULT, ITEM)
        }
        versions = connection.execute(select(func.count()).select_from(item_row)).scalar_one()
    assert held == expected
    assert versions == changes
    engine.dispose()


@given(grades=st.lists(st.sampled_from(["a", "b", "c", NOT_RATED])))
def test_shares_are_of_the_rated_subjects_and_add_up_but_for_rounding(grades: list[str]) -> None:
    shares = distribute(BANDS, grades)
    rated = sum(grade != NOT_RATED for grade in grades)
    assert [one.grade for one in shares] == ["a", "b", "c"]
    assert sum(one.count for one in shares) == rated
    total = sum(one.share_bp for one in shares)
    assert abs(total - 10_000) <= len(BANDS) if rated else total == 0
