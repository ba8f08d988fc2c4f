from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from node.domain.reported import ReportedSet, first_months, reported_set

MEASURES = ("settlements", "fund_fen")
Row = tuple[str, int, int, int]


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.table(
        {
            "institution": pa.array([row[0] for row in rows], pa.string()),
            "month": pa.array([row[1] for row in rows], pa.int32()),
            "subject": pa.array([row[0] for row in rows], pa.string()),
            "settlements": pa.array([row[2] for row in rows], pa.int64()),
            "fund_fen": pa.array([row[3] for row in rows], pa.int64()),
        }
    )


def report_of(rows: Sequence[Row], months: Sequence[int]) -> ReportedSet:
    found = table(rows)
    return reported_set("settlement", MEASURES, found, months, first_months([found]))


def as_rows(report: ReportedSet) -> list[Row]:
    return list(
        zip(
            report.institutions.tolist(),
            report.months.tolist(),
            report.columns["settlements"].tolist(),
            report.columns["fund_fen"].tolist(),
            strict=True,
        )
    )


def test_a_silent_month_is_stated_as_zero() -> None:
    rows = [("H33030200001", 202601, 3, 500), ("H33030200002", 202601, 1, 70)]
    report = report_of(rows, [202601, 202602])
    assert as_rows(report) == [
        ("H33030200001", 202601, 3, 500),
        ("H33030200001", 202602, 0, 0),
        ("H33030200002", 202601, 1, 70),
        ("H33030200002", 202602, 0, 0),
    ]


def test_what_lies_before_an_institutions_first_record_is_not_stated() -> None:
    rows = [("H33030200001", 202601, 3, 500), ("H33030200002", 202602, 1, 70)]
    report = report_of(rows, [202601, 202602, 202603])
    slots = {(institution, month) for institution, month, _ in report.slots()}
    assert ("H33030200002", 202601) not in slots
    assert {("H33030200002", 202602), ("H33030200002", 202603)} <= slots


def test_a_silent_month_of_a_staff_set_is_an_empty_slot() -> None:
    rows = [("H33030200001", 202601, 3, 500), ("H33030200001", 202603, 1, 70)]
    found = table(rows)
    months = [202601, 202602, 202603]
    report = reported_set(
        "physician", MEASURES, found, months, first_months([found]), of_staff=True
    )
    assert as_rows(report) == rows
    assert report.empty == (("H33030200001", 202602),)
    assert [(month, rows.stop - rows.start) for _, month, rows in report.slots()] == [
        (202601, 1),
        (202602, 0),
        (202603, 1),
    ]


def test_a_staff_set_without_any_row_states_nothing() -> None:
    found = table([])
    report = reported_set("physician", MEASURES, found, [202601], {}, of_staff=True)
    assert report.slots() == []


def test_a_first_record_in_any_set_begins_the_report_of_all() -> None:
    admissions = table([("H33030200001", 202601, 1, 0)])
    settlements = table([("H33030200001", 202602, 1, 70)])
    first = first_months([admissions, settlements])
    report = reported_set("settlement", MEASURES, settlements, [202601, 202602], first)
    assert [month for _, month, _ in report.slots()] == [202601, 202602]


def test_an_institution_without_any_record_states_nothing() -> None:
    report = report_of([], [202601])
    assert as_rows(report) == []
    assert report.slots() == []


rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(["H33030200001", "H33030200002", "P33030200003"]),
        st.sampled_from([202601, 202602, 202603]),
        st.integers(-5, 5),
        st.integers(-1000, 1000),
    ),
    unique_by=lambda row: (row[0], row[1]),
)


@given(rows=rows_strategy, months=st.sets(st.sampled_from([202601, 202602, 202603, 202604])))
def test_filling_keeps_every_sum_and_covers_every_month(rows: list[Row], months: set[int]) -> None:
    report = report_of(rows, sorted(months))
    assert int(report.columns["fund_fen"].sum()) == sum(row[3] for row in rows)
    stated = {(institution, month) for institution, month, _ in report.slots()}
    first = first_months([table(rows)])
    assert stated >= {(row[0], month) for row in rows for month in months if month >= first[row[0]]}
    assert all(month >= first[institution] for institution, month in stated)
    assert len(report.slots()) == len(stated)
    covered = [index for *_, rows_of in report.slots() for index in range(*rows_of.indices(10**6))]
    assert covered == list(range(len(report.months)))
    assert report.monthly().months.dtype == np.int32
