"""Revocation (吊销) of members and of their certificates.

What is revoked counts from the transaction that revokes it, on every call and commit group. Who is
revoked comes back by a token that is issued later, never by one that was out already.
"""

from sqlalchemy import Connection

from hub.errors import ConfigurationError
from hub.store import enrolment_requests, members, revocations, tokens
from hub.store.certifying import own_certificates, own_suites
from hub.store.identity import HubIdentity
from hub.store.revocation_lists import issue_list


def revoke_member(
    connection: Connection, identity: HubIdentity, member: str, reason: str, now_ms: int
) -> int:
    """Revoke a member with all its certificates, or the present epoch of this hub's own keys.

    Args:
        connection: A writing transaction.
        identity: The hub.
        member: Member id; the hub's own begins a new epoch of its keys at once.
        reason: Why, for the register.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        How many certificates are revoked that were not before.

    Raises:
        ConfigurationError: The register does not hold the member.
        LogReadOnlyError: The hub's own keys are revoked and the log takes no new certificate.
    """
    if not reason.strip():
        raise ConfigurationError("A revocation needs a reason; name it with --reason.")
    if member != identity.hub:
        members.revoke(connection, member, reason, now_ms)
        tokens.end_tokens(connection, member, now_ms)
        enrolment_requests.drop_joins(connection, member)
    count = revocations.revoke_all(connection, member, now_ms)
    if member == identity.hub:
        for suite in own_suites(identity):
            own_certificates(connection, identity, now_ms, suite)
    if count:
        issue_list(connection, identity, now_ms)
    return count
