"""Table from error to stable code and exit code; every border of the node reads it.

Codes are never reused. Exit codes: 0 done, 1 done with quarantined rows, 2 usage, then this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from node.errors import (
    BackupError,
    ConfigurationError,
    DeviceRefusedError,
    IntakeFileError,
    MappingError,
    NodeError,
    NotJoinedError,
    PresenceError,
    StoreError,
    TemplateError,
)
from scoring_kernel.errors import CalibrationError, KernelError, TemplateMismatchError
from security.errors import (
    DeskRefusedError,
    DeskUnreachableError,
    HubRefusedError,
    HubUnreachableError,
    JobFailedError,
    JoinPendingError,
    JoinRefusedError,
    KeyFileError,
    KeyRotationError,
    LinkingError,
    LocalChannelError,
    LocalSyncError,
    LockHeldError,
    LogRollbackError,
    MembershipError,
    PackError,
    RemoteSyncError,
    RevokedError,
    SecurityError,
    SegmentTamperedError,
    SpotCheckError,
    SuitePolicyError,
    TokenError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """How an error is told to the operator and to scripts."""

    code: str
    exit_code: int


ERROR_TABLE: Final[Mapping[type[Exception], ErrorRow]] = {
    ConfigurationError: ErrorRow(code="configuration", exit_code=3),
    LockHeldError: ErrorRow(code="lock_held", exit_code=4),
    NotJoinedError: ErrorRow(code="not_joined", exit_code=5),
    IntakeFileError: ErrorRow(code="intake_file", exit_code=6),
    MappingError: ErrorRow(code="mapping", exit_code=7),
    StoreError: ErrorRow(code="store", exit_code=8),
    LocalSyncError: ErrorRow(code="local_sync", exit_code=9),
    TokenError: ErrorRow(code="token", exit_code=10),
    JoinRefusedError: ErrorRow(code="join_refused", exit_code=11),
    HubUnreachableError: ErrorRow(code="hub_unreachable", exit_code=12),
    HubRefusedError: ErrorRow(code="hub_refused", exit_code=13),
    MembershipError: ErrorRow(code="membership", exit_code=14),
    KeyFileError: ErrorRow(code="key_file", exit_code=15),
    SegmentTamperedError: ErrorRow(code="segment_tampered", exit_code=16),
    LocalChannelError: ErrorRow(code="local_channel", exit_code=17),
    RemoteSyncError: ErrorRow(code="remote_sync", exit_code=21),
    CalibrationError: ErrorRow(code="calibration", exit_code=60),
    TemplateMismatchError: ErrorRow(code="template", exit_code=55),
    KernelError: ErrorRow(code="kernel", exit_code=18),
    BackupError: ErrorRow(code="backup", exit_code=37),
    DeskUnreachableError: ErrorRow(code="desk_unreachable", exit_code=40),
    DeskRefusedError: ErrorRow(code="desk_refused", exit_code=41),
    LinkingError: ErrorRow(code="linking", exit_code=42),
    JoinPendingError: ErrorRow(code="approval_needed", exit_code=49),
    SuitePolicyError: ErrorRow(code="suite_policy", exit_code=38),
    RevokedError: ErrorRow(code="revoked", exit_code=39),
    LogRollbackError: ErrorRow(code="log_rollback", exit_code=43),
    PackError: ErrorRow(code="pack", exit_code=46),
    SpotCheckError: ErrorRow(code="spot_check", exit_code=51),
    KeyRotationError: ErrorRow(code="key_rotation", exit_code=52),
    DeviceRefusedError: ErrorRow(code="device_refused", exit_code=54),
    TemplateError: ErrorRow(code="template", exit_code=55),
    PresenceError: ErrorRow(code="presence", exit_code=56),
    SecurityError: ErrorRow(code="security", exit_code=19),
    NodeError: ErrorRow(code="node", exit_code=20),
}
UNEXPECTED: Final = ErrorRow(code="unexpected", exit_code=70)
"""A bug: the only row without an error type of ours."""


def describe(error: Exception) -> tuple[str, str, int]:
    """Code, message and exit code of an error.

    Returns:
        For an error of this product its own message; for anything else the type's name only,
        because a foreign message may quote a record.
    """
    if isinstance(error, JobFailedError):
        return error.code, error.message, error.exit_code
    for kind in type(error).__mro__:
        row = ERROR_TABLE.get(kind)
        if row is not None:
            return row.code, str(error), row.exit_code
    return (
        UNEXPECTED.code,
        f"unexpected {type(error).__name__}; this is a fault of the program, please report it",
        UNEXPECTED.exit_code,
    )
