"""Signed lists that members hand back (归还的吊销列表): what a restored database lost of them.

Rules, numbered as applied:

1. Files are what `yixin node receipts --export` writes; only what this hub's identity key signed
   counts, whoever brings it. Every list is whole, so that the newest one is enough.
2. Each certificate it names is revoked from the moment it says. A member of whom nothing else is
   left is revoked; one that goes on with other certificates had only renewed.
3. The list itself is kept: certificates that the database lost stay on the ones that follow.
4. A policy above the one held is stated anew, once the log takes leaves: members take no older one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from sqlalchemy import Connection

from hub.domain.members import MemberStatus
from hub.errors import ConfigurationError
from hub.store import members, revocations
from hub.store.identity import HubIdentity
from hub.store.policies import restate_policy
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.certificates import Revocations, read_revocations
from security.errors import SecurityError
from security.policy import Policy, open_policy
from security.proof_files import ProofHead, read_proofs

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBack:
    """What the files hold, verified."""

    newest: Revocations | None = None
    """The newest revocation list; None where no file holds one."""
    signed: bytes = field(default=b"", repr=False)
    """The same, serialised."""
    policies: tuple[Policy, ...] = ()
    """The newest suite policy of every member, the members' own before the one for all."""

    def covers(self, leaf: transparency_pb2.LogLeaf) -> bool:
        """Whether the list is the one that a leaf logged, or a later one."""
        return self.newest is not None and leaf.logged_at_ms <= self.newest.at_ms


def read_handed(paths: Iterable[Path], anchor: identity_pb2.TrustAnchor) -> HandedBack:
    """Read and verify what members handed back (step 1).

    Args:
        paths: Proof files.
        anchor: Anchor of this hub.

    Raises:
        AuditInputError: A file is no proof file.
        ConfigurationError: It holds neither list nor policy, or one that this hub did not sign.
    """
    found = HandedBack()
    policies: dict[str, Policy] = {}
    for path in paths:
        head, _ = read_proofs(path)
        if not (head.revocations or head.policy):
            raise ConfigurationError(
                f"{path} holds no revocation list and no suite policy: let the member write it "
                "with `yixin node receipts --export FILE` of the present program."
            )
        try:
            found = _newer(found, head, anchor)
            if head.policy:
                signed = _parsed(identity_pb2.SuitePolicy, head.policy)
                policy = open_policy(signed, anchor, member=head.member, held=None)
                held = policies.get(policy.member)
                if held is None or policy.version > held.version:
                    policies[policy.member] = policy
        except (SecurityError, DecodeError) as error:
            raise ConfigurationError(
                f"{path} was not taken, and nothing was changed: {error}"
            ) from error
    ordered = sorted(policies.values(), key=lambda one: one.member, reverse=True)
    return HandedBack(newest=found.newest, signed=found.signed, policies=tuple(ordered))


def _newer(found: HandedBack, head: ProofHead, anchor: identity_pb2.TrustAnchor) -> HandedBack:
    if not head.revocations:
        return found
    opened = read_revocations(head.revocations, {anchor.hub: anchor})
    if found.newest is not None and opened.version <= found.newest.version:
        return found
    return HandedBack(newest=opened, signed=head.revocations)


def _parsed(kind: type[_M], data: bytes) -> _M:
    message = kind()
    message.ParseFromString(data)
    return message


def restore_revocations(
    connection: Connection, identity: HubIdentity, handed: HandedBack, now_ms: int
) -> Sequence[str]:
    """Revoke again what the newest list names (steps 2 and 3); again changes nothing.

    Args:
        connection: A writing transaction.
        identity: The hub.
        handed: What was handed back.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        Ids of the members that are revoked and were not before.
    """
    newest = handed.newest
    if newest is None:
        return ()
    revoked: list[str] = []
    for row in newest.rows:
        revocations.revoke_one(connection, row)
    for member in sorted({row.member for row in newest.rows} - {identity.hub}):
        held = members.find_member(connection, member)
        if held is None or held.status is MemberStatus.REVOKED:
            continue
        if not revocations.has_valid(connection, member, newest.at_ms):
            reason = f"revocation list {newest.version}, handed back after a loss"
            members.revoke(connection, member, reason, now_ms)
            revoked.append(member)
    stored = revocations.newest_list(connection)
    if stored is None or stored.version < newest.version:
        kept = revocations.SignedList(
            version=newest.version, next_ms=newest.next_ms, list=handed.signed
        )
        revocations.add_list(connection, kept, newest.at_ms)
    return revoked


def restore_policies(
    connection: Connection, identity: HubIdentity, handed: HandedBack, now_ms: int
) -> int:
    """State policies anew that the database lost (step 4).

    Args:
        connection: A writing transaction.
        identity: The hub.
        handed: What was handed back.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        How many were stated.

    Raises:
        LogReadOnlyError: The log takes no leaf now.
    """
    return sum(restate_policy(connection, identity, one, now_ms) for one in handed.policies)
