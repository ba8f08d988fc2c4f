"""A short run of ``tests.fuzz.messages``; ``make fuzz`` runs the long one."""

from pathlib import Path
from random import Random

import pytest

from node.intake.outcomes import Outcome
from tests.fuzz.messages import Fuzzed, fuzz


@pytest.mark.parametrize("seed", [4, 5])
def test_mutated_messages_do_no_harm(tmp_path: Path, seed: int) -> None:
    fuzzed = Fuzzed()

    fuzz(tmp_path, Random(seed), 1_500, fuzzed)  # noqa: S311  # Repeatable, not secret.

    assert fuzzed.lines == 1_500
    # The mutations reach beyond the first check: every outcome and most rules are met.
    assert set(fuzzed.outcomes) == set(Outcome)
    assert len(fuzzed.rules) > 15
    assert len(fuzzed.records) > 10
