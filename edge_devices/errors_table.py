"""Table from error to stable code and exit code; every border of a device reads it.

Codes are never reused, and a code that a node or hub has too has the same number here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_devices.errors import (
    DeviceConfigurationError,
    EdgeError,
    FacesNotInstalledError,
    NodeRefusedError,
    NodeUnreachableError,
    QueueError,
    SourceError,
)
from scoring_kernel.errors import (
    CalibrationError,
    FaceImageError,
    FaceModelError,
    KernelError,
    TemplateMismatchError,
)
from security.errors import (
    JoinRefusedError,
    KeyFileError,
    LockHeldError,
    SecurityError,
    TokenError,
)

__all__ = ["ERROR_TABLE", "UNEXPECTED", "ErrorRow", "describe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """How an error is told to the operator and to scripts."""

    code: str
    exit_code: int


ERROR_TABLE: Final[Mapping[type[Exception], ErrorRow]] = {
    DeviceConfigurationError: ErrorRow(code="configuration", exit_code=3),
    LockHeldError: ErrorRow(code="lock_held", exit_code=4),
    TokenError: ErrorRow(code="token", exit_code=10),
    JoinRefusedError: ErrorRow(code="join_refused", exit_code=11),
    KeyFileError: ErrorRow(code="key_file", exit_code=15),
    TemplateMismatchError: ErrorRow(code="template", exit_code=55),
    FaceModelError: ErrorRow(code="face_model", exit_code=57),
    FaceImageError: ErrorRow(code="face_image", exit_code=58),
    SourceError: ErrorRow(code="source", exit_code=59),
    CalibrationError: ErrorRow(code="calibration", exit_code=60),
    NodeUnreachableError: ErrorRow(code="node_unreachable", exit_code=61),
    NodeRefusedError: ErrorRow(code="node_refused", exit_code=62),
    QueueError: ErrorRow(code="queue", exit_code=63),
    FacesNotInstalledError: ErrorRow(code="faces_missing", exit_code=64),
    KernelError: ErrorRow(code="kernel", exit_code=18),
    SecurityError: ErrorRow(code="security", exit_code=19),
    EdgeError: ErrorRow(code="edge", exit_code=20),
}
UNEXPECTED: Final = ErrorRow(code="unexpected", exit_code=70)
"""A bug: the only row without an error type of ours."""


def describe(error: Exception) -> tuple[str, str, int]:
    """Code, message and exit code of an error.

    Returns:
        For an error of this product its own message; for anything else the type's name only,
        because a foreign message may quote a record.
    """
    for kind in type(error).__mro__:
        row = ERROR_TABLE.get(kind)
        if row is not None:
            return row.code, str(error), row.exit_code
    return (
        UNEXPECTED.code,
        f"unexpected {type(error).__name__}; this is a fault of the program, please report it",
        UNEXPECTED.exit_code,
    )
