"""Requests that wait for an officer (待审批): asked for, shown, approved, rejected.

Rules: a request that needs approval is entered once and answered with its fingerprint until it
is decided; the officer compares the fingerprint by voice before approving; an approval may be
used for a week, by the very keys it was given for.
"""

from sqlalchemy import Connection

from hub.errors import ConfigurationError, EnrolmentRefusedError
from hub.store import enrolment_requests
from hub.store.enrolment_requests import RequestStatus, WaitingRequest
from protos.yixin.v1 import enrolment_pb2

RETRY_AFTER_S = 5
"""Seconds after which a member asks again."""
_REJECTED = "The hub's officer rejected this request. Ask the officer for the reason."
_TOO_MANY = "Too many requests of this member wait for the officer; ask the officer to decide them."


def ask(
    connection: Connection,
    *,
    method: str,
    member: str,
    digest: bytes,
    fingerprint: str,
    now_ms: int,
) -> enrolment_pb2.Pending | None:
    """Ask for an officer's approval, or see what became of the same request.

    Args:
        connection: A writing transaction.
        method: ``join`` or ``renew``.
        member: Member id.
        digest: Digest of the request, 32 bytes.
        fingerprint: Of the requested keys.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        What to answer while it waits; None when it is approved.

    Raises:
        EnrolmentRefusedError: It was rejected, or too many of this member wait.
    """
    found = enrolment_requests.find_request(connection, digest, now_ms)
    if found is None:
        found = enrolment_requests.add_request(
            connection,
            method=method,
            member=member,
            digest=digest,
            fingerprint=fingerprint,
            now_ms=now_ms,
        )
    if found is None:
        raise EnrolmentRefusedError(f"too many requests of {member} wait", _TOO_MANY)
    if found.status is RequestStatus.REJECTED:
        raise EnrolmentRefusedError(f"request {found.id} of {member} was rejected", _REJECTED)
    if found.status is RequestStatus.APPROVED:
        return None
    return enrolment_pb2.Pending(
        request=found.id, fingerprint=found.fingerprint, retry_after_s=RETRY_AFTER_S
    )


def approve(connection: Connection, name: str, now_ms: int) -> WaitingRequest | None:
    """Approve the request that waits under an id or for a member; None when there is none.

    Args:
        connection: A writing transaction.
        name: Id of the request, or member id.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        ConfigurationError: Several requests of the member wait.
    """
    found = enrolment_requests.find_waiting(connection, name, now_ms)
    if found is not None:
        enrolment_requests.decide(connection, found.id, RequestStatus.APPROVED, "", now_ms)
    return found


def reject(connection: Connection, name: str, reason: str, now_ms: int) -> WaitingRequest:
    """Reject the request that waits under an id or for a member.

    Args:
        connection: A writing transaction.
        name: Id of the request, or member id.
        reason: Why, for the register.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        ConfigurationError: No request waits under that name, or several do.
    """
    found = enrolment_requests.find_waiting(connection, name, now_ms)
    if found is None:
        raise ConfigurationError(
            f"No request waits under {name[:96]!r}; list them with `yixin hub members --pending`."
        )
    enrolment_requests.decide(connection, found.id, RequestStatus.REJECTED, reason, now_ms)
    return found
