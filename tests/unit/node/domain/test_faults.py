"""Faults say what was found and what to do, and never show a person."""

import pytest

from node.domain.faults import MENDS, Fault, Rule
from node.domain.institutions import CODE_PATTERN, foreign_code
from node.domain.masking import mask, shorten


def test_every_rule_says_how_to_mend_it() -> None:
    assert set(MENDS) == set(Rule)
    assert all(len(text) > 20 for text in MENDS.values())


def test_a_fault_names_field_value_and_expectation() -> None:
    fault = Fault.of(Rule.NUMBER_NEGATIVE, "request.feedetail.cnt", -2, "zero or more")

    assert fault.reason == "request.feedetail.cnt is -2, expected zero or more"
    assert "init_feedetl_sn" in fault.mend
    assert Fault.of(Rule.JSON_BROKEN, "", "x", "y").reason == "the message is x, expected y"


@pytest.mark.parametrize("value", ["990001195803121016", "张三丰", "13800000000", "x" * 500])
def test_a_masked_value_shows_at_most_the_province(value: str) -> None:
    shown = mask(value)

    assert value not in shown
    assert value[2:] not in shown
    assert f"({len(value)} characters)" in shown
    assert len(shown) < 90


def test_a_shown_value_stays_on_one_short_line() -> None:
    assert shorten("a\nb\tc") == "a b c"
    assert len(shorten("y" * 10_000)) == 61


def test_foreign_codes_have_the_national_form() -> None:
    codes = {foreign_code("set", f"PRV{number}") for number in range(2000)}

    assert all(CODE_PATTERN.fullmatch(code) and code.startswith("H99") for code in codes)
    assert len(codes) == 2000
    assert foreign_code("set", "A") != foreign_code("other", "A")
