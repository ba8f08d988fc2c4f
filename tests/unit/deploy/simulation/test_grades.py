"""The files of a city are enough for the kernel to tell good from bad in every class."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from deploy.simulation.simulate import Order, simulate
from scoring_kernel import load_catalog
from scoring_kernel.inputs import InputTable
from scoring_kernel.item_rows import parse_row
from scoring_kernel.items import Column, item_inputs
from scoring_kernel.periods import Period
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import ScoreResult, score
from tests.unit.deploy.simulation.conftest import Written, quiet

CATALOG = load_catalog()
PERIOD = Period.parse("2026H1")
ROWS = dict[str, list[dict[str, object]]]
CAPPED = ("designated_medical_institution", "physician", "supplier")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> ROWS:
    """Rows of the city of the demonstration with few claims, by item."""
    out = tmp_path_factory.mktemp("graded") / "out"
    manifest = simulate(Order(institutions=62, claims=1_240), out, quiet)
    city = Written(out=out, manifest=manifest)
    found: defaultdict[str, dict[tuple[str, ...], dict[str, object]]] = defaultdict(dict)
    for path in sorted((out / "departments").iterdir()):
        number = re.split(r"[_.]", path.name)[1]
        for row in city.rows(f"departments/{path.name}"):
            parsed = parse_row(CATALOG.items[number], row)
            found[number][parsed.key] = dict(parsed.values)
    return {number: list(held.values()) for number, held in found.items()}


def graded(rows: ROWS, name: str) -> ScoreResult:
    """Grade a class by its department items alone; what nodes measure is missing."""
    model = CATALOG.models[name]
    register = model.register
    field = CATALOG.items[register.item].subject_field
    listed = {
        str(row[field]): row
        for row in rows[register.item]
        if str(row[field]).startswith(register.prefix or "")
        and all(row[column] == value for column, value in (register.where or {}).items())
    }
    codes = sorted(listed)
    covered = frozenset({"2025H1", "2026H1", "2025H2"})
    parts: dict[str, Column] = {}
    for column in model.input_columns:
        if column.startswith("item.") and column not in parts:
            number = column.split(".")[1]
            found = item_inputs(CATALOG.items[number], rows.get(number, []), codes, PERIOD, covered)
            parts |= {key: found[key] for key in model.input_columns if key in found}
        elif column not in parts:
            parts[column] = (np.zeros(len(codes), np.int64), np.zeros(len(codes), np.bool_))
    table = InputTable.assemble(
        model,
        codes,
        [str(listed[code][register.level]) for code in codes],
        [str(listed[code][register.type]) for code in codes],
        parts,
    )
    day = PERIOD.last_day
    return score(model, table, build_reference(model, table, day), day)


@pytest.mark.parametrize("name", sorted(CATALOG.models))
def test_every_class_shows_at_least_three_grades_and_nobody_is_unrated(
    rows: ROWS, name: str
) -> None:
    grades = Counter(graded(rows, name).grades)
    assert len(grades) >= 3, grades
    assert "not_rated" not in grades


@pytest.mark.parametrize("name", CAPPED)
def test_an_override_lowers_somebodys_earned_grade(rows: ROWS, name: str) -> None:
    found = graded(rows, name)
    lowered = [
        (earned, held)
        for earned, held in zip(found.earned_grades, found.grades, strict=True)
        if earned != held
    ]
    assert lowered
    assert {held for _, held in lowered} <= {"poor", "bad"}
