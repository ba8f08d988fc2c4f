"""Kinds of measures: histograms with the catalogue's edges, staff sets, windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.measure_sets import KINDS, Histogram, MeasureSet, parse_measure_set
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.periods import Period
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.windows import window_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

PERIOD = Period.parse("2026H1")
DOCTOR, OTHER = "D330302000001", "D330302000002"
STAYS = """
id: stays
name_zh: 住院时长
name_en: lengths of stay
relations: [discharge]
measures:
  discharges: {name_zh: 出院人次, name_en: discharges, unit: visit, kind: count, day: event}
  longest: {name_zh: 最长住院日, name_en: longest stay, unit: day, kind: max, day: event}
  shortest: {name_zh: 最短住院日, name_en: shortest stay, unit: day, kind: min, day: event}
  persons: {name_zh: 出院人数, name_en: persons, unit: person, kind: distinct, day: event}
  stay: {name_zh: 住院日分布, name_en: days of stay, unit: visit, kind: histogram,
         edges: ["1", "8", "31"], day: event}
  fund_fen: {name_zh: 基金支付, name_en: paid by the fund, unit: fen, kind: sum, day: booking}
sql: |
  -- Every bin comes from the edges above; none is repeated here.
  SELECT institution, month, institution AS subject,
    CAST(count(*) AS BIGINT) AS discharges,
    CAST(max(days) AS BIGINT) AS longest,
    CAST(min(days) AS BIGINT) AS shortest,
    CAST(count(DISTINCT person) AS BIGINT) AS persons,
    @histogram(stay, discharge.days),
    CAST(sum(fund_fen) AS BIGINT) AS fund_fen
  FROM discharge
  GROUP BY institution, month
"""


def parsed() -> MeasureSet:
    return parse_measure_set(
        load_strict(STAYS.encode(), "measures/stays.yaml"),
        units=("visit", "day", "person", "fen"),
        relations=("discharge",),
    )


def monthly(
    rows: Sequence[tuple[str, int, int]], name: str = "visits", of: str = "physician"
) -> MonthlyMeasures:
    return MonthlyMeasures(
        measure_set=of,
        subjects=np.array([subject for subject, *_ in rows], np.str_),
        months=np.array([month for _, month, _ in rows], np.int32),
        columns={name: np.array([value for *_, value in rows], np.int64)},
    )


def test_a_histogram_is_one_measure_per_bin() -> None:
    found = parsed()
    assert found.histograms["stay"].edges == (1, 8, 31)
    bins = ("stay_0", "stay_1", "stay_2", "stay_3")
    assert found.histograms["stay"].bins == bins
    assert found.columns[3:] == (
        *("discharges", "longest", "shortest", "persons", *bins, "fund_fen"),
    )
    assert "stays.stay_2@prior" in found.input_columns


def test_the_kind_fixes_the_law_and_what_cannot_be_negative() -> None:
    found = parsed()
    assert {one.kind: one.merge for one in found.measures} == dict(KINDS)
    assert found.merges["stay_0"] == "sum"
    assert found.never_negative == {one.id for one in found.measures} - {
        *("longest", "shortest", "fund_fen"),
    }


@given(st.lists(st.tuples(st.integers(-5, 60), st.sampled_from("abc")), min_size=1, max_size=30))
def test_the_sql_counts_every_row_in_the_bin_of_the_edges(rows: list[tuple[int, str]]) -> None:
    found = parsed()
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE discharge "
            "(institution VARCHAR, month INTEGER, person VARCHAR, days BIGINT, fund_fen BIGINT)"
        )
        database.executemany(
            "INSERT INTO discharge VALUES ('H1', 202603, ?, ?, 7)",
            [(person, days) for days, person in rows],
        )
        answer = database.execute(found.sql)
        assert tuple(one[0] for one in answer.description or ()) == found.columns
        (row,) = answer.fetchall()
    days = [one for one, _ in rows]
    expect = [
        sum(low <= day < high for day in days)
        for low, high in ((-99, 1), (1, 8), (8, 31), (31, 99))
    ]
    persons = len({person for _, person in rows})
    assert row[3:] == (len(rows), max(days), min(days), persons, *expect, 7 * len(rows))


def test_a_histogram_with_one_edge_has_two_bins() -> None:
    assert Histogram(id="a", edges=(0,)).bins == ("a_0", "a_1")


def test_sets_of_the_catalogue_say_whom_they_are_about() -> None:
    sets = load_catalog().measure_sets
    assert {name for name, one in sets.items() if one.any_month} == {"physician"}
    assert sets["settlement"].merges["settlements"] == "sum"
    assert "settlements" not in sets["settlement"].never_negative
    assert sets["inpatient"].never_negative == {"discharges", "readmissions_15d"}


def test_one_month_of_work_states_a_window_of_staff() -> None:
    staff = load_catalog().measure_sets["physician"]
    rows = monthly([(DOCTOR, 202602, 5), (DOCTOR, 202512, 3)])
    columns = window_inputs(staff, rows, [DOCTOR, OTHER], PERIOD)
    found = {name: (values.tolist(), here.tolist()) for name, (values, here) in columns.items()}
    assert found == {
        "physician.visits@current": ([5, 0], [True, False]),
        "physician.visits@base": ([0, 0], [False, False]),
        "physician.visits@prior": ([3, 0], [True, False]),
    }


def test_every_month_must_state_a_window_of_an_institution() -> None:
    settlement = load_catalog().measure_sets["settlement"]
    rows = [("H1", month, 1) for month in PERIOD.months] + [("H1", 202512, 1), ("H2", 202601, 1)]
    columns = window_inputs(
        settlement, monthly(rows, "settlements", "settlement"), ["H1", "H2"], PERIOD
    )
    assert columns["settlement.settlements@current"][1].tolist() == [True, False]
    assert columns["settlement.settlements@prior"][1].tolist() == [False, False]


def test_a_count_below_nothing_stops_a_grading_and_a_net_sum_does_not() -> None:
    staff = load_catalog().measure_sets["physician"]
    with pytest.raises(KernelInputError, match="D330302000001 counts -5 in 202602, expected no"):
        window_inputs(staff, monthly([(DOCTOR, 202602, -5)]), [DOCTOR], PERIOD)
    columns = window_inputs(staff, monthly([(DOCTOR, 202602, -5)], "amount_fen"), [DOCTOR], PERIOD)
    assert columns["physician.amount_fen@current"][0].tolist() == [-5]
