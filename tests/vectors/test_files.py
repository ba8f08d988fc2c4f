"""Runs every vector file of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support import vector_runner

if TYPE_CHECKING:
    from pathlib import Path

REFUSALS: Final = {
    "oversized": "envelopes/invalid/oversized",
    "truncated": "envelopes/invalid/truncated",
    "duplicated": "chains/invalid/duplicated",
    "reordered": "chains/invalid/reordered",
    "replayed": "chains/invalid/replayed",
    "expired": "envelopes/invalid/expired",
    "future-dated": "envelopes/invalid/future_dated",
    "wrong recipient": "envelopes/invalid/wrong_recipient",
    "wrong purpose": "envelopes/invalid/wrong_purpose",
    "unknown suite": "envelopes/invalid/unknown_suite",
    "revoked sender": "envelopes/invalid/revoked_sender",
    "valid signature over a different type": "envelopes/invalid/signature_over_heads",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(vector_runner.ROOT).with_suffix(""))


@pytest.mark.parametrize("path", vector_runner.files(), ids=name_of)
def test_every_case_comes_out_as_it_says(path: Path) -> None:
    case = vector_runner.load(path)
    assert vector_runner.run(case) == case["expect"]


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_kind_of_bad_input_has_a_case(kind: str) -> None:
    path = vector_runner.ROOT / f"{REFUSALS[kind]}.json"
    found = vector_runner.run(vector_runner.load(path))["result"]
    assert found == "refused" or set(found) - {"next"}


@pytest.mark.parametrize("kind", vector_runner.KINDS)
def test_there_are_valid_and_invalid_cases_of_each_kind(kind: str) -> None:
    for side in ("valid", "invalid"):
        assert list((vector_runner.ROOT / kind / side).glob("*.json"))
