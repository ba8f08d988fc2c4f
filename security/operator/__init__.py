"""The operator at this machine (操作员): one writer at a time, and how a command speaks.

A node and a hub are commanded in the same way: a command asks the daemon over its owner-only
socket (`security.local_channel`), and where none runs it takes the writer lock and works itself.
"""

from security.operator.lock import writer_lock
from security.operator.output import CommandOutput, ErrorText, Result, speaking
from security.operator.running import run_command, when_free

__all__ = [
    "CommandOutput",
    "ErrorText",
    "Result",
    "run_command",
    "speaking",
    "when_free",
    "writer_lock",
]
