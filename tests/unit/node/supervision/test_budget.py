"""The rules' memory is one figure, wherever it is said."""

import inspect

from node.cli_rules import run
from node.supervision.budget import MEMORY_BYTES, Budget
from node.supervision_settings import SupervisionSettings


def test_the_command_the_settings_and_the_engine_mean_the_same_memory() -> None:
    assert inspect.signature(run).parameters["max_memory"].default << 20 == MEMORY_BYTES
    assert SupervisionSettings().nightly_max_memory_mib << 20 == MEMORY_BYTES
    assert Budget().memory_bytes == MEMORY_BYTES
