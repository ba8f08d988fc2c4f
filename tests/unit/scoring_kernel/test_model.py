"""The rating model: its schema, its mistakes and its parameters."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.errors import (
    CatalogError,
    DraftModelError,
    KernelInputError,
    ParameterNotInForceError,
)
from scoring_kernel.indicators import Status
from scoring_kernel.legal_basis import refuse_later_checks
from tests.support.kernel_models import (
    CASES,
    SMALL_FILE,
    SMALL_MODEL,
    TINY_FILE,
    legal_basis,
    model_of,
    small_model,
    units,
)

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = CASES / "malformed" / "model"
MALFORMED = [(path, SMALL_FILE) for path in sorted(FOLDER.glob("*.yaml"))]
MALFORMED += [(path, TINY_FILE) for path in sorted((FOLDER / "grammar").glob("*.yaml"))]


@pytest.mark.parametrize(("path", "file"), MALFORMED, ids=[path.stem for path, _ in MALFORMED])
def test_a_broken_model_is_refused_with_file_and_line(path: Path, file: str) -> None:
    text = path.read_text("utf-8")
    line, _, words = text.splitlines()[0].removeprefix("# expect ").partition(": ")
    with pytest.raises(CatalogError) as caught:
        model_of(text, file)
    assert (caught.value.file, caught.value.line) == (file, int(line))
    assert words in caught.value.problem
    assert str(caught.value).startswith(f"{file}:{line}: ")


def test_the_small_model_reads_every_part() -> None:
    model = small_model()
    assert (model.id, model.status, model.total_centi) == ("small", Status.PROPOSAL, 10_000)
    assert [group.id for group in model.groups] == [
        "work",
        "quality",
        "growth",
        "record",
        "events",
    ]
    first = model.indicators[0]
    assert (first.level1.id, first.level2.id, first.unit.id) == ("work", "quality", "1")
    assert first.sources == ("scoring_formula_proposal",)
    assert model.bands[0].letter == "A"
    assert len(model.digest) == 32


def test_a_parameter_holds_from_its_day_to_the_next() -> None:
    standard = small_model().indicators[0].parameters["standard"]
    assert standard.at(date(2024, 12, 31), "3") == 900_000
    assert standard.at(date(2025, 1, 1), "3") == 950_000
    assert standard.keys == {"2", "3"}
    assert small_model().indicators[3].parameters["width"].keys == frozenset()


@pytest.mark.parametrize("day", [date(2023, 12, 31), date(2027, 1, 1)], ids=["before", "repealed"])
def test_outside_its_days_a_parameter_raises(day: date) -> None:
    standard = small_model().indicators[0].parameters["standard"]
    with pytest.raises(ParameterNotInForceError, match=f"in force on {day.isoformat()}"):
        standard.at(day, "3")


def test_a_level_the_parameter_does_not_know_is_an_error() -> None:
    standard = small_model().indicators[0].parameters["standard"]
    with pytest.raises(KernelInputError, match=r"no amount for '9', expected one of \['2', '3'\]"):
        standard.at(date(2025, 1, 1), "9")


def test_a_draft_cannot_grade() -> None:
    draft = model_of(SMALL_MODEL.replace("status: proposal", "status: draft"))
    with pytest.raises(DraftModelError, match="small is a draft"):
        draft.refuse_draft()


def test_a_final_model_needs_every_source_checked() -> None:
    text = SMALL_MODEL.replace("status: proposal", "status: final")
    checked = """sources:
  wenzhou_951_table_2: {title: a, issuer: b, checked_on: 2026-01-05, checked_by: c}
  wenzhou_951_grades: {title: a, issuer: b}
  scoring_formula_proposal: {title: a, issuer: b, checked_on: 2026-01-05, checked_by: c}
"""
    with pytest.raises(CatalogError, match="source wenzhou_951_grades is unchecked"):
        model_of(text, sources=checked)
    final = model_of(
        text, sources=checked.replace("b}", "b, checked_on: 2026-01-05, checked_by: c}")
    )
    assert final.status is Status.FINAL


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ("sources:\n  Bad: {title: a, issuer: b}\n", "expected the form"),
        ("sources:\n  a: {title: a, issuer: b, page: c}\n", "unknown key 'page'"),
        ("sources:\n  a: {title: a, issuer: b, checked_by: c}\n", "only one of checked_on"),
        ("sources:\n  a: {title: a, issuer: b, checked_on: 2026-01-05}\n", "only one of"),
        ("sources:\n  a: {title: a, issuer: b, effective: soon}\n", "a day such as"),
        ("other: 1\n", "unknown key 'other'"),
    ],
)
def test_a_broken_source_is_refused(sources: str, problem: str) -> None:
    with pytest.raises(CatalogError, match=problem):
        legal_basis(sources)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("units:\n  Fen: {name_zh: 分, name_en: fen}\n", "expected the form"),
        ("units:\n  fen: {name_zh: 分}\n", "name_en"),
        ("units:\n  fen: {name_zh: 分, name_en: fen, scale: 2}\n", "unknown key 'scale'"),
    ],
)
def test_a_broken_unit_is_refused(text: str, problem: str) -> None:
    with pytest.raises(CatalogError, match=problem):
        units(text)


def test_nobody_has_checked_a_source_tomorrow() -> None:
    text = "sources:\n  a:\n    title: a\n    issuer: b\n    checked_by: c\n"
    sources = legal_basis(f"{text}    checked_on: 2026-07-01\n")
    refuse_later_checks(sources, date(2026, 7, 1))
    with pytest.raises(CatalogError, match=r"checked_on is 2026-07-01, after 2026-06-30") as caught:
        refuse_later_checks(sources, date(2026, 6, 30))
    assert (caught.value.file, caught.value.line) == ("legal_basis.yaml", 6)
    refuse_later_checks(legal_basis(), date(2021, 1, 1))


def test_every_source_of_the_catalogue_is_still_unchecked() -> None:
    assert not any(source.is_checked for source in legal_basis().values())
