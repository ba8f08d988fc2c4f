"""Table from error to code, gRPC status, exit code and public wording; every border reads it.

Codes are never reused. Exit codes: 0 done, 1 done with refused or quarantined rows, 2 usage, then
this table. Wordings are constant: a peer never learns which check failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import grpc

from hub import errors as hub_errors
from scoring_kernel.errors import KernelError
from security import errors as security_errors

_INTERNAL: Final = grpc.StatusCode.INTERNAL
_LATER: Final = grpc.StatusCode.UNAVAILABLE
_REFUSED: Final = grpc.StatusCode.PERMISSION_DENIED
_PRECONDITION: Final = grpc.StatusCode.FAILED_PRECONDITION
_ARGUMENT: Final = grpc.StatusCode.INVALID_ARGUMENT
_OURS: Final = "The hub cannot do this now. Ask its operator to look at the log."
_LATER_WORDING: Final = "The hub cannot take this now; nothing is lost, try again later."


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """How an error is told to the operator, to scripts and to a peer."""

    code: str
    """Stable code."""
    exit_code: int
    """Exit code of the command line."""
    status: grpc.StatusCode
    """Status towards a peer."""
    wording: str
    """What a peer reads."""


def _row(
    code: str, exit_code: int, status: grpc.StatusCode = _INTERNAL, wording: str = _OURS
) -> ErrorRow:
    return ErrorRow(code=code, exit_code=exit_code, status=status, wording=wording)


_UNTRUSTED = security_errors.UNTRUSTED_WORDING
_NOT_MEMBER: Final = str(hub_errors.MemberRefusedError(""))
_NOT_JOINED: Final = str(hub_errors.EnrolmentRefusedError(""))
_REVOKED: Final = (
    "This certificate is revoked, or a later join took its place. Ask the hub's officer; with a "
    "new token the member can join again."
)
_POLICY: Final = (
    "A key of this member is of a suite outside this hub's policy. Renew the member's keys "
    "(`yixin node renew`; its daemon does so by itself): the new ones are of a suite of the policy."
    " Who only joins names such a suite (`join --suite NAME`); the hub's operator knows which."
)
_GAP: Final = "An earlier envelope of the chain is missing; re-send after the stated head."
_FORK: Final = "Another envelope is known at this place of the chain."
_HEADS: Final = "The heads or frames of this stream are not in order; update the program and retry."
_PART: Final = "No file of packs has such a name or such a part; begin anew with its first byte."

ERROR_TABLE: Final[Mapping[type[Exception], ErrorRow]] = {
    # The hub's own.
    hub_errors.ConfigurationError: _row("configuration", 3),
    hub_errors.NotInitialisedError: _row("not_initialised", 3),
    security_errors.LockHeldError: _row("lock_held", 4),
    hub_errors.NotJoinedError: _row("not_joined", 5),
    hub_errors.ImportFileError: _row("import_file", 6, _ARGUMENT),
    hub_errors.HubStoreError: _row("store", 8, _LATER, _LATER_WORDING),
    hub_errors.CustodyError: _row("custody", 22, _PRECONDITION),
    hub_errors.EnrolmentRefusedError: _row("enrolment_refused", 23, _REFUSED, _NOT_JOINED),
    hub_errors.MemberRefusedError: _row("member_refused", 24, _REFUSED, _NOT_MEMBER),
    hub_errors.NotPermittedError: _row(
        "not_permitted", 25, _REFUSED, "This kind of member may not call this method."
    ),
    hub_errors.IntakeBusyError: _row("busy", 26, _LATER, _LATER_WORDING),
    hub_errors.StatementError: _row("statement", 27, _ARGUMENT),
    hub_errors.StatementsMissingError: _row("statements_missing", 28, _PRECONDITION),
    hub_errors.GradingError: _row("grading", 29, _PRECONDITION),
    hub_errors.NotGradedError: _row("not_graded", 30, _PRECONDITION),
    hub_errors.NotPublishedError: _row("not_published", 31, _PRECONDITION),
    hub_errors.AuditExportError: _row("audit_export", 32, _PRECONDITION),
    hub_errors.LogReadOnlyError: _row("log_read_only", 44, _LATER, _LATER_WORDING),
    hub_errors.AgreementRefusedError: _row(
        "agreement_refused", 48, _REFUSED, "No sharing agreement covers this."
    ),
    hub_errors.ApprovalNeededError: _row("approval_needed", 49, _PRECONDITION),
    hub_errors.RoleError: _row("role", 50, _REFUSED, "The role does not allow this."),
    hub_errors.IncidentError: _row("incident", 53, _PRECONDITION),
    hub_errors.HubError: _row("hub", 20),
    # Of the security core.
    security_errors.LocalSyncError: _row("local_sync", 9),
    security_errors.TokenError: _row("token", 10),
    security_errors.JoinRefusedError: _row("join_refused", 11),
    security_errors.HubUnreachableError: _row("hub_unreachable", 12),
    security_errors.HubRefusedError: _row("hub_refused", 13),
    security_errors.MembershipError: _row("membership", 14),
    security_errors.KeyFileError: _row("key_file", 15),
    security_errors.SegmentTamperedError: _row("segment_tampered", 16),
    security_errors.LocalChannelError: _row("local_channel", 17),
    security_errors.RemoteSyncError: _row("remote_sync", 21, _ARGUMENT, _HEADS),
    security_errors.ChainGapError: _row("gap", 35, _ARGUMENT, _GAP),
    security_errors.ChainForkError: _row("fork", 36, _ARGUMENT, _FORK),
    security_errors.UntrustedEnvelopeError: _row("untrusted", 33, _ARGUMENT, _UNTRUSTED),
    security_errors.UntrustedCertificateError: _row(
        "untrusted_certificate", 34, _REFUSED, _NOT_MEMBER
    ),
    security_errors.RevokedError: _row("revoked", 39, _REFUSED, _REVOKED),
    security_errors.SuitePolicyError: _row("suite_policy", 38, _REFUSED, _POLICY),
    security_errors.LogRollbackError: _row("log_rollback", 43),
    security_errors.CosignatureError: _row("cosignature", 45, _ARGUMENT),
    security_errors.PackError: _row("pack", 46, _ARGUMENT, _PART),
    security_errors.AgreementError: _row("agreement", 47, _ARGUMENT, _UNTRUSTED),
    security_errors.SpotCheckError: _row("spot_check", 51),
    security_errors.KeyRotationError: _row("key_rotation", 52),
    security_errors.SecurityError: _row("security", 19),
    # Of the kernel.
    KernelError: _row("kernel", 18),
}
UNEXPECTED: Final = _row("unexpected", 70)
"""A defect: the only row without an error type of ours."""


def row_of(error: Exception) -> ErrorRow:
    """Row of an error: its own, else the nearest base's, else that of a defect."""
    for kind in type(error).__mro__:
        row = ERROR_TABLE.get(kind)
        if row is not None:
            return row
    return UNEXPECTED


def describe(error: Exception) -> tuple[str, str, int]:
    """Code, message and exit code of an error, for the operator.

    Returns:
        For an error of this product its own message; for anything else the type's name only,
        because a foreign message may quote a record.
    """
    if isinstance(error, security_errors.JobFailedError):
        return error.code, error.message, error.exit_code
    row = row_of(error)
    if row is UNEXPECTED:
        message = (
            f"unexpected {type(error).__name__}; this is a fault of the program, please report it"
        )
        return row.code, message, row.exit_code
    return row.code, str(error), row.exit_code
