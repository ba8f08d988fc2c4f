from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Callable

    from scoring_kernel.yaml_section import Section

SECTION = load_strict(
    b"""
text: abc
blank: " "
number: 5
share: "0.08"
flag: true
day: 2024-01-01
nothing: null
map: {a: 1}
maps: [{a: 1}, {a: 2}]
words: [one, two]
mixed: [one, 2]
""",
    "x.yaml",
)


def test_each_reader_returns_its_type() -> None:
    assert SECTION.text("text") == "abc"
    assert SECTION.text("text", pattern="[a-c]+") == "abc"
    assert SECTION.integer("number", least=5, most=5) == 5
    assert SECTION.decimal("share") == Fraction(8, 100)
    assert SECTION.flag("flag") is True
    assert SECTION.flag("absent", default=False) is False
    assert SECTION.day("day") == date(2024, 1, 1)
    assert SECTION.section("map").integer("a", least=0, most=9) == 1
    assert [one.integer("a", least=0, most=9) for one in SECTION.sections("maps")] == [1, 2]
    assert SECTION.texts("words", pattern="[a-z]+") == ("one", "two")
    assert SECTION.choice("text", ("abc", "abd")) == "abc"


def test_find_readers_take_absent_and_null_for_none() -> None:
    assert SECTION.find_text("absent") is None
    assert SECTION.find_text("nothing") is None
    assert SECTION.find_text("text") == "abc"
    assert SECTION.find_section("absent") is None
    assert SECTION.find_section("map") == SECTION.section("map")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda s: s.text("absent"), "x.yaml:2: key 'absent' is missing"),
        (lambda s: s.text("blank"), "x.yaml:3: blank: found ' ', expected text"),
        (lambda s: s.text("text", pattern="x+"), "x.yaml:2: text: found 'abc', expected the form"),
        (lambda s: s.text("text", max_chars=2), "text: 3 characters, expected at most 2"),
        (lambda s: s.choice("text", ("a", "b")), "text: found 'abc', expected one of a, b"),
        (lambda s: s.integer("number", least=6, most=9), "number: found 5, expected a whole"),
        (lambda s: s.integer("number", least=0, most=4), "number: found 5, expected a whole"),
        (lambda s: s.integer("flag", least=0, most=4), "flag: found True, expected a whole"),
        (lambda s: s.flag("number"), "number: found 5, expected true or false"),
        (lambda s: s.day("text"), "text: found 'abc', expected a day"),
        (lambda s: s.decimal("number"), "number: found 5, expected a quoted decimal"),
        (lambda s: s.decimal("text"), "text: found 'abc', expected a quoted decimal"),
        (lambda s: s.section("text"), "text: found 'abc', expected a mapping"),
        (lambda s: s.sections("map"), "map: found a mapping, expected a list"),
        (lambda s: s.sections("words"), "x.yaml:11: words: expected a mapping in each entry"),
        (lambda s: s.texts("mixed"), "x.yaml:12: mixed: expected text in each entry"),
        (lambda s: s.texts("words", pattern="o.*"), "words: found 'two', expected the form"),
        (lambda s: s.text("maps"), "maps: found a list, expected text"),
        (lambda s: s.refuse_unknown(("text",)), "x.yaml:3: unknown key 'blank', expected one of"),
        (lambda s: s.refuse_name_unless("text", "[0-9]+"), "x.yaml:2: found the name 'text'"),
    ],
)
def test_a_mistake_names_file_line_found_and_expected(
    read: Callable[[Section], object], message: str
) -> None:
    with pytest.raises(CatalogError) as caught:
        read(SECTION)
    assert message in str(caught.value)


def test_known_keys_and_names_pass() -> None:
    SECTION.refuse_unknown(SECTION.keys())
    SECTION.refuse_name_unless("text", "[a-z]+")
