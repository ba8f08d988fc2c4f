"""How a device's command speaks: results on standard output, progress and errors beside it."""

from contextlib import AbstractContextManager

from edge_devices.errors_table import describe
from security.operator import CommandOutput, speaking

__all__ = ["start"]


def start(as_json: bool) -> AbstractContextManager[CommandOutput]:  # noqa: FBT001  # the flag `--json`
    """Run a command's body; errors become one message and their exit code."""
    return speaking(CommandOutput(as_json=as_json), describe)
