from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import MAX_BYTES, MAX_NODES, load_strict

if TYPE_CHECKING:
    from scoring_kernel.yaml_section import Section


def read(text: str) -> Section:
    return load_strict(text.encode(), "x.yaml")


def test_plain_values_mean_what_the_reader_sees() -> None:
    section = read(
        "text: 挂床住院率\nwhole: -12\nyes_it_is: true\nnothing: null\nday: 2024-01-01\n"
        'quoted: "0.05"\nblock: |\n  one\n  two\n'
    )
    assert dict(section.values) == {
        "text": "挂床住院率",
        "whole": -12,
        "yes_it_is": True,
        "nothing": None,
        "day": date(2024, 1, 1),
        "quoted": "0.05",
        "block": "one\ntwo\n",
    }
    assert dict(section.lines) == {
        "text": 1,
        "whole": 2,
        "yes_it_is": 3,
        "nothing": 4,
        "day": 5,
        "quoted": 6,
        "block": 7,
    }


@pytest.mark.parametrize("key", ["2024-01-01", "1", "0.5", "挂床"])
def test_a_key_is_text_as_written(key: str) -> None:
    assert read(f"{key}: a").keys() == (key,)


@pytest.mark.parametrize("word", ["True", "YES", "No", "off", "n", "NULL", "~"])
def test_words_of_other_yaml_readers_are_refused_as_values(word: str) -> None:
    with pytest.raises(CatalogError, match=r"x\.yaml:1: found"):
        read(f"key: {word}")


@pytest.mark.parametrize("number", ["+1", "1_000", "0x1f", "1e3", "-.5", "1" + "0" * 19])
def test_numbers_that_readers_disagree_on_are_refused(number: str) -> None:
    with pytest.raises(CatalogError, match="quote decimals and codes"):
        read(f"key: {number}")


def test_a_file_over_the_bound_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(CatalogError, match=f"found {MAX_BYTES + 1} bytes"):
        load_strict(b"[" * (MAX_BYTES + 1), "x.yaml")


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(CatalogError, match=f"more than {MAX_NODES} nodes"):
        read("a: [" + "1," * MAX_NODES + "1]")


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(CatalogError, match=r"x\.yaml:2: found bytes that are not UTF-8"):
        load_strict(b"a: 1\nb: \xff\n", "x.yaml")


def test_control_characters_are_refused() -> None:
    with pytest.raises(CatalogError, match="a character that YAML forbids"):
        read("a: \x07")


def test_an_unfinished_file_is_refused_with_a_line() -> None:
    with pytest.raises(CatalogError) as caught:
        read("a:\n  b: [1, 2")
    assert caught.value.line > 0
