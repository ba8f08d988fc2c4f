"""Every case table says the same through the live forms: each visit in turn is the encounter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.live_rules import BOTH_FORMS, LiveCity, expected_hits
from tests.support.rule_engine import find_hits
from tests.support.rule_facts import RuleFacts

FOLDER = Path(__file__).parents[4] / "cases" / "rules"
CASES = [
    pytest.param(rule, case, id=f"{rule}-{number}-{case['kind']}")
    for rule in BOTH_FORMS
    if (FOLDER / f"{rule}.yaml").exists()
    for number, case in enumerate(
        yaml.safe_load((FOLDER / f"{rule}.yaml").read_text(encoding="utf-8"))["cases"], start=1
    )
]


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_live_and_batch_agree(rule: str, case: dict[str, Any], tmp_path: Path) -> None:
    found = find_hits(rule, RuleFacts.of(case))
    city = LiveCity(tmp_path, RuleFacts.of(case))
    try:
        for paid in city.visits():
            live = city.hits(rule, paid)
            if live is not None:
                expected = expected_hits(city, rule, found, paid)
                assert Counter(live) == Counter(expected), paid["mdtrt_id"]
    finally:
        city.close()
