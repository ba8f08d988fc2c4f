"""Ids of the four kinds of subjects, and what must never pass for one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.subject_ids import (
    SUBJECT_TYPES,
    holds_id_card,
    is_pseudonym,
    is_subject_id,
    personal_number,
)

IDS = {
    "institution": ("H33030200001", "P33030200001"),
    "staff": (
        "D330302000001",
        "N330302000001",
        "HY330302000001",
        "PY330302000001",
        "Y330302000001",
        "HJ330302000001",
    ),
    "person": ("R0123456789abcdef0123456789abcdef",),
    "organisation": ("91350100M000100Y43",),
}
NUMBERS = ("990001195803121016", "99000119580312101X", "13800138000", "3302000001", "0577-88000000")


@pytest.mark.parametrize("kind", SUBJECT_TYPES)
def test_an_id_belongs_to_one_kind_of_subject(kind: str) -> None:
    for other, texts in IDS.items():
        assert {is_subject_id(kind, text) for text in texts} == {other == kind}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_a_person_is_nobodys_id(number: str) -> None:
    assert not any(is_subject_id(kind, number) for kind in SUBJECT_TYPES)
    assert personal_number(number) is not None


@pytest.mark.parametrize("text", ["", "R", "张示例", "H33030200001", "12345", "2026-06-30"])
def test_other_texts_are_no_number_of_a_person(text: str) -> None:
    assert personal_number(text) is None


@pytest.mark.parametrize("at", range(15))
def test_an_identity_number_is_found_wherever_it_hides(at: int) -> None:
    hidden = "R" + "a" * at + NUMBERS[0] + "b" * (14 - at)
    assert not is_pseudonym(hidden)
    assert personal_number(hidden) == "id_number"
    assert holds_id_card(f"文书 {NUMBERS[0][:6]}-{NUMBERS[0][6:]} 号")


def test_an_identity_number_ending_in_x_is_found_in_a_text() -> None:
    assert holds_id_card("11010519491231002x") == holds_id_card("11010519491231002X") is True


@given(st.integers(0, 2**64))
def test_a_keyed_hash_is_a_pseudonym(seed: int) -> None:
    digest = hashlib.sha256(seed.to_bytes(9, "big")).hexdigest()[:32]
    assert is_pseudonym(f"R{digest}") != digest.isdecimal()


def test_registers_know_subjects_of_every_kind() -> None:
    items = load_catalog().items.values()
    assert {item.subject_type for item in items if item.register is None} == set(SUBJECT_TYPES)
    assert {item.number for item in items if not item.has_period} == {
        item.number for item in items if item.kind == "register"
    }
