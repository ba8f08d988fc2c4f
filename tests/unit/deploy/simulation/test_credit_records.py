"""Credit records in bulk: deterministic, streamed, with sums known beforehand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from deploy.errors import SimulationError
from deploy.simulation import credit_records
from deploy.simulation.credit_records import (
    MAPPING,
    CreditOrder,
    CreditTotals,
    credit_chunks,
    write_credit_records,
)
from scoring_kernel import load_catalog
from scoring_kernel.tables.mapping_files import parse_record_mapping

ORDER = CreditOrder(rows=3_001, institutions=7, months=5)


def whole(order: CreditOrder) -> tuple[pa.Table, CreditTotals]:
    totals = CreditTotals()
    return pa.concat_tables(credit_chunks(order, totals)), totals


def test_chunks_do_not_change_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    table, totals = whole(ORDER)
    monkeypatch.setattr(credit_records, "CHUNK_ROWS", 100)
    again, same = whole(ORDER)

    assert again.equals(table)
    assert (same.rows, same.amount_fen, same.rows_of_month) == (
        *(totals.rows, totals.amount_fen, totals.rows_of_month),
    )
    assert not whole(CreditOrder(rows=3_001, institutions=7, months=5, seed=2))[0].equals(table)


def test_sums_months_and_keys_are_what_they_are_said_to_be() -> None:
    table, totals = whole(ORDER)
    rows = table.to_pylist()

    assert totals.rows == len(rows) == 3_001
    assert totals.amount_fen == sum(round(float(row["amount"]) * 100) for row in rows)
    months = [int(row["day"][:7].replace("-", "")) for row in rows]
    assert months == sorted(months)
    assert totals.rows_of_month == {month: months.count(month) for month in set(months)}
    assert len(totals.rows_of_month) == 5
    assert {row["institution"] for row in rows} == set(ORDER.codes)
    keys = {(row["institution"], row["visit"], row["line"]) for row in rows}
    assert len(keys) == len({row["record"] for row in rows}) == 3_001
    visits = {row["visit"]: (row["institution"], row["person"], row["day"]) for row in rows}
    assert all(
        visits[row["visit"]] == (row["institution"], row["person"], row["day"]) for row in rows
    )
    assert all(row["person"].startswith("990000") for row in rows)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_both_formats_hold_the_same(tmp_path: Path, name: str) -> None:
    told: list[int] = []
    totals = write_credit_records(ORDER, tmp_path / name, lambda _what, n, _all: told.append(n))

    if name.endswith("csv"):
        options = pcsv.ConvertOptions(
            column_types=dict.fromkeys(whole(ORDER)[0].column_names, pa.string())
        )
        found = pcsv.read_csv(tmp_path / name, convert_options=options)
    else:
        found = pq.read_table(tmp_path / name)
    assert found.equals(whole(ORDER)[0])
    assert totals.rows == 3_001
    with pytest.raises(SimulationError, match="is there already"):
        write_credit_records(ORDER, tmp_path / name, lambda *_: None)
    with pytest.raises(SimulationError, match="expected a name ending"):
        write_credit_records(ORDER, tmp_path / "a.xlsx", lambda *_: None)


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"rows": 1, "institutions": 100_000}, {"rows": 1, "months": 0}]
)
def test_an_order_has_bounds(wrong: dict[str, int]) -> None:
    with pytest.raises(SimulationError, match="expected 1 to"):
        CreditOrder(**wrong)


def test_the_mapping_of_the_records_is_valid() -> None:
    mapping = parse_record_mapping(MAPPING.encode(), "x.yaml", load_catalog())
    assert mapping.table_columns == set(whole(ORDER)[0].column_names)
