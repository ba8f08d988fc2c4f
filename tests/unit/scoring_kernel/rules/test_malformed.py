"""Every case of ``tests/cases/malformed_rules.yaml`` is refused with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import CatalogError, RuleError
from scoring_kernel.rules import parse_rules

TABLE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "cases" / "malformed_rules.yaml").read_text(encoding="utf-8")
)
SOUND = {name: text.encode() for name, text in TABLE["bases"].items()}


def test_what_the_cases_change_is_sound() -> None:
    book = parse_rules(SOUND, load_catalog())
    assert sorted(book.rules) == ["M01", "W01"]
    assert len(book.statements(book.rules["M01"])) == 2
    assert book.statements(book.rules["W01"]) == ()
    assert len({case["id"] for case in TABLE["cases"]}) == len(TABLE["cases"]) > 70


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["id"])
def test_a_mistake_is_refused_with_file_and_line(case: dict[str, Any]) -> None:
    old, new = case["change"]
    text = TABLE["bases"][case["file"]]
    assert text.count(old) >= 1, case["id"]
    with pytest.raises(CatalogError) as caught:
        parse_rules(SOUND | {case["file"]: text.replace(old, new, 1).encode()}, load_catalog())
    assert case["expect"] in caught.value.problem
    assert caught.value.file == case.get("in", case["file"])
    assert caught.value.line == case["line"]


@pytest.mark.parametrize(
    "name", ["rules/deep/M01.yaml", "rules/M01.sql", "knowledge/k_hours.txt", "rules/readme.md"]
)
def test_a_file_nobody_reads_is_refused(name: str) -> None:
    with pytest.raises(RuleError, match="nobody reads this file") as caught:
        parse_rules(SOUND | {name: b"x"}, load_catalog())
    assert caught.value.file == name


def test_the_list_of_tables_must_be_there() -> None:
    without = {name: one for name, one in SOUND.items() if name != "knowledge/tables.yaml"}
    with pytest.raises(RuleError, match="the file is missing"):
        parse_rules(without, load_catalog())


def test_a_proposal_is_utf_8() -> None:
    with pytest.raises(RuleError, match="not UTF-8"):
        parse_rules(SOUND | {"knowledge/k_hours.csv": b"\xff\xfe"}, load_catalog())


def test_relations_do_not_read_each_other_in_a_circle() -> None:
    text = TABLE["bases"]["rules/relations/spent.yaml"]
    first = text.replace("relations: [fee_detail]", "relations: [fee_detail, other]")
    second = text.replace("name: spent", "name: other").replace("fee_detail", "spent")
    circle = {
        "rules/relations/spent.yaml": first.encode(),
        "rules/relations/other.yaml": second.encode(),
    }
    with pytest.raises(RuleError, match="other reads spent reads other: cut the circle"):
        parse_rules(SOUND | circle, load_catalog())


def test_a_relation_is_not_named_after_records() -> None:
    text = TABLE["bases"]["rules/relations/spent.yaml"].replace("name: spent", "name: settlement")
    with pytest.raises(RuleError, match="settlement is a record kind"):
        parse_rules(SOUND | {"rules/relations/settlement.yaml": text.encode()}, load_catalog())


def test_parameters_are_bounded() -> None:
    text = TABLE["bases"]["rules/M01.yaml"]
    many = "".join(f"  p{number}: {{}}\n" for number in range(25))
    broken = text.replace("parameters:\n", f"parameters:\n{many}")
    with pytest.raises(RuleError, match=r"rules/M01\.yaml:10: more than 24 parameters"):
        parse_rules(SOUND | {"rules/M01.yaml": broken.encode()}, load_catalog())
