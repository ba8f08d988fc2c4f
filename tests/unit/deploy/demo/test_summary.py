"""The summary's keys are those that scripts read; its tables show what people ask."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.classes import CLASSES, ClassSummary, registered_in, summarise
from deploy.demo.intake_summary import IntakeSummary
from deploy.demo.summary import Findings, Summary, show
from deploy.demo.supervision_summary import SupervisionSummary


def of_class(subjects: int, *, pushed: bool = True, **more: int) -> ClassSummary:
    known = {"graded": subjects, "not_rated": 0, "capped": 0, "pushed": subjects * pushed} | more
    return ClassSummary(subjects=subjects, grade_distribution={"good": subjects}, **known)


CLASSES_MADE = {
    "designated_medical_institution": of_class(4),
    "designated_retail_pharmacy": of_class(2),
    "physician": of_class(30, capped=3),
    "insured_person": of_class(9, pushed=False),
}
INTAKE = IntakeSummary(
    till_day="2026-06-30",
    till_calls=20,
    till_unchanged=20,
    copies_taken=20,
    copies_lost=0,
    refused=1,
    refused_reason="psn_setlway is 1, expected a code of its national list",
    mended=1,
    mended_by="request.data.psn_setlway=01",
    table="H33030300004.stock.csv",
    table_rows=238,
    table_refused=0,
    stock_movements=1_843,
    trace_codes=15_515,
    staff_members=220,
    backup_records=21_560,
    backup_bytes=5_635_370,
    backup_verified=True,
)
SUPERVISION = SupervisionSummary(
    knowledge_points=175,
    rules=46,
    rules_stopped=0,
    hits=6_732,
    amount_fen=97_343_888,
    cases=162,
    cases_found=162,
    near_misses=217,
    near_misses_hit=0,
    clues=6_700,
    stays_sent=40,
    persons_asked=378,
    overlaps=2,
    overlap_across="H33030200001 + H33030400003",
    overlap_hours=96,
    warning="W03",
    warning_words="开具人员未在本机构登记",
    warning_answer="block",
    feedback="accepted",
)
HIT = {
    "rule": "M33",
    "says": {"name_zh": "跨机构重叠住院"},
    "institution": "H33030500004",
    "at": "2026-04-11T03:00:00",
    "amount_fen": 65_000,
    "records": 2,
    "parameters": [{"name_zh": "重叠小时数", "value": "24", "unit_zh": "小时"}],
    "basis": {"title": "条例", "article": "第四十条"},
}
GOOD = Summary(
    institutions=4,
    messages_in=1_000,
    records_stored=3_000,
    quarantined=0,
    intake=INTAKE,
    supervision=SUPERVISION,
    envelopes_sent=12,
    receipts=12,
    subjects_graded=4,
    grade_distribution={"excellent": 1, "good": 2, "bad": 1},
    prescore_equal=192,
    prescore_compared=192,
    pushed=4,
    audit="valid",
    basis="proposal",
    seconds=12.5,
    classes=CLASSES_MADE,
)


def of_intake(**changes: Any) -> Summary:  # noqa: ANN401 - values of any field
    return replace(GOOD, intake=replace(INTAKE, **changes))


def of_supervision(**changes: Any) -> Summary:  # noqa: ANN401 - values of any field
    return replace(GOOD, supervision=replace(SUPERVISION, **changes))


EXPLANATION = {
    "subject": "H33030200001",
    "total": "812.50",
    "grade": "good",
    "basis": "proposal",
    "indicators": [
        {"indicator": "自查自纠", "points": "40.00", "of": "50.00", "原因": "退回比例不足"}
    ],
}


def printed(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=120)
    findings = Findings(
        summary=summary,
        explanation=EXPLANATION,
        hit=HIT,
        log_sizes={"city": 30, "province": 4},
        asked={"H33030200001": "excellent under public_query@1, leaf 40"},
        verdicts={"city": summary.audit, "province": "valid"},
    )
    show(findings, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_json_file_has_exactly_these_keys() -> None:
    assert set(GOOD.to_json()) == {
        "institutions", "messages_in", "records_stored", "quarantined", "envelopes_sent",
        "receipts", "subjects_graded", "grade_distribution", "prescore_equal",
        "prescore_compared", "pushed", "audit", "basis", "seconds",
        "classes", "intake", "supervision", "faces",
    }  # fmt: skip
    assert set(GOOD.to_json()["classes"]["physician"]) == {
        "subjects", "graded", "not_rated", "capped", "pushed", "grade_distribution",
    }  # fmt: skip


def test_a_demonstration_that_succeeded_has_no_failures() -> None:
    assert GOOD.failures == ()


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (replace(GOOD, receipts=11), "11 receipts for 12 envelopes"),
        (replace(GOOD, receipts=0, envelopes_sent=0), "0 receipts for 0 envelopes"),
        (replace(GOOD, prescore_compared=108, prescore_equal=108), "108 indicators compared"),
        (replace(GOOD, prescore_equal=191), "191 of 192 pre-scores equal"),
        (replace(GOOD, subjects_graded=3, pushed=3), "3 subjects graded; expected 4"),
        (replace(GOOD, pushed=3), "the province holds 3 grades"),
        (
            replace(GOOD, classes={**CLASSES_MADE, "physician": of_class(30, graded=29)}),
            "physician: 29 subjects looked at; expected 30",
        ),
        (
            replace(GOOD, classes={**CLASSES_MADE, "insured_person": of_class(9)}),
            "insured_person: the province holds 9 grades; expected 0",
        ),
        (replace(GOOD, audit="indeterminate"), "the auditor says indeterminate"),
        (replace(GOOD, quarantined=2), "2 left in quarantine"),
        (of_intake(till_unchanged=19), "19 of 20 answers at the till unchanged"),
        (of_intake(till_calls=0, till_unchanged=0, copies_taken=0), "0 of 0 answers at the till"),
        (of_intake(copies_taken=19), "19 copies taken in, 0 lost; expected 20"),
        (of_intake(copies_lost=1), "20 copies taken in, 1 lost"),
        (of_intake(mended=0), "0 of 1 refused messages mended"),
        (of_intake(refused=0, mended=0), "0 of 0 refused messages mended"),
        (of_intake(table_refused=1), "238 rows of H33030300004.stock.csv taken in, 1 refused"),
        (of_intake(table_rows=0), "0 rows of H33030300004.stock.csv taken in"),
        (of_intake(trace_codes=0), "0 trace codes of 1843 movements"),
        (of_supervision(rules_stopped=1), "1 of 46 rules stopped"),
        (of_supervision(cases_found=161), "161 of 162 injected cases found"),
        (of_supervision(near_misses_hit=1), "1 of 217 near misses hit"),
        (of_supervision(overlap_across=""), "the stays that overlap across two nodes"),
        (of_supervision(warning=""), "the till was given no warning"),
        (of_supervision(feedback="none"), "feedback on the warning: none"),
        (of_intake(backup_verified=False), "a backup of 21560 records, not verified"),
    ],
)
def test_every_promise_that_is_broken_is_a_failure_and_is_shown(bad: Summary, told: str) -> None:
    failure = bad.failures[0]
    assert failure.startswith(told)
    assert told in printed(bad)


def test_the_tables_show_all_five_grades_even_where_one_has_nobody() -> None:
    text = printed(GOOD)
    for shown in (
        "excellent",
        "优秀",
        "poor",
        "50.0%",
        "H33030200001",
        "退回比例不足",
        "192 of 192",
    ):
        assert shown in text
    assert "not_rated" not in text
    assert "30 leaves; the auditor says valid" in text


def test_the_tables_show_how_records_came_in() -> None:
    text = printed(GOOD)
    for shown in (
        "窗口经网关", "20 calls of 2026-06-30, 20 answers unchanged", "20 taken in, 0 lost",
        "psn_setlway is 1, expected a code", "1: request.data.psn_setlway=01",
        "238 rows of H33030300004.stock.csv (GB18030), 0 refused", "15,515 codes",
        "21,560 records, 5.6 MB, read back and compared",
    ):  # fmt: skip
        assert shown in text


def test_the_tables_show_what_supervision_found() -> None:
    text = printed(GOOD)
    for shown in (
        "46 rules, 175 knowledge points: 6,732 hits", "973,438.88 yuan", "162 of 162",
        "重叠小时数 24小时", "条例第四十条", "378 persons' tokens",
        "H33030200001 + H33030400003: 96 hours",
        "3101: W03", "3103: accepted",
    ):  # fmt: skip
        assert shown in text


def test_stays_that_are_too_old_to_be_joined_are_no_failure_and_are_told() -> None:
    late = of_supervision(stays_sent=0, overlaps=0, overlap_across="", overlap_hours=0)
    assert late.failures == ()
    assert "nothing was joined" in printed(late)


def test_subjects_without_a_rating_are_shown_where_there_are_any() -> None:
    assert "不予评级" in printed(replace(GOOD, grade_distribution={"good": 3, "not_rated": 1}))


def test_there_is_a_line_for_every_class() -> None:
    text = printed(GOOD)
    for name, made in CLASSES_MADE.items():
        (line,) = (one for one in text.splitlines() if name in one)
        assert CLASSES[name] in line
        assert str(made.graded) in line
    assert "supplier" not in text


def test_classes_are_summed_up_from_the_answers_of_city_and_province() -> None:
    manifest = {"institutions": 4, "pharmacies": 0, "subjects": dict.fromkeys(list(CLASSES)[2:], 7)}
    registered = registered_in(manifest)
    assert list(registered) == list(CLASSES)
    report = {
        "subject_class": "physician", "basis": "proposal", "graded": 6, "not_rated": 1, "capped": 2,
        "distribution": [{"grade": "good", "count": 6}, {"grade": "bad", "count": 0}],
    }  # fmt: skip
    province = {"pushed": {"2026H1": {"physician": {"good": 6, "not_rated": 1}}}}
    found = summarise({"classes": [report]}, registered, province, "2026H1")
    assert "designated_retail_pharmacy" not in found, "nobody is in its register"
    assert found["supplier"].graded == found["supplier"].pushed == 0
    physicians = found["physician"]
    assert (physicians.subjects, physicians.pushed, physicians.capped) == (7, 7, 2)
    assert physicians.told == {"good": 6, "bad": 0, "not_rated": 1}
