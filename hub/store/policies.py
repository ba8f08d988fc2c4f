"""Suite policies of a hub: what it takes from all members, and what it requires of one.

Rules:
    1. The policy of all follows ``[suites]`` of hub.toml; a change makes a new version.
    2. A member's requirement stands beside it, and is lifted by a later version, never removed.
    3. The version of what a member is told is the higher of the two, so that it grows with both.
    4. Every version is a leaf of the transparency log; version 1 is the one of this release, which
       holds until another is stated.
    5. A version that the database lost is found again by its leaf: few policies can be stated, and
       only one has the leaf's digest.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select

from hub.errors import ConfigurationError
from hub.store import log, members
from hub.store.identity import HubIdentity
from hub.store.policy_tables import suite_policy
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.keys import SigningKey
from security.policy import Policy, policy_body, sign_policy
from security.suites import SUITE_NAMES, get_suite

COUNTER: Final = "suite_policy_version"
EVERYBODY: Final = ""
FIRST_ALLOWED: Final = ("INTL-PQ", "INTL")
"""What version 1 allows."""
WORD: Final = "suite_policy"
_SIGNED: Final = 1024


def state_policy(
    connection: Connection, identity: HubIdentity, allowed: tuple[str, ...], now_ms: int
) -> Policy:
    """State what all members may use; nothing happens where that is stated already.

    Args:
        connection: A writing transaction.
        identity: The hub.
        allowed: Names of suites, the preferred one first.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        UnknownSuiteError: A suite does not work on this machine.
        LogReadOnlyError: The log takes no leaf now.
    """
    for name in allowed:
        get_suite(name)
    if policy_of(connection, identity.hub, EVERYBODY).allowed != allowed:
        _add(connection, identity, EVERYBODY, now_ms, allowed=allowed)
    return policy_of(connection, identity.hub, EVERYBODY)


def require_suite(
    connection: Connection, identity: HubIdentity, member: str, suite: str, now_ms: int
) -> Policy:
    """Require one suite of a member, or none.

    A lift is stated also where nothing is known to be required: the member may hold a requirement
    that was lost here.

    Args:
        connection: A writing transaction.
        identity: The hub.
        member: Member id.
        suite: Name of the suite; empty to lift the requirement.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        What the member is told from now on.

    Raises:
        ConfigurationError: The register does not hold the member.
        UnknownSuiteError: The suite does not work on this machine.
        LogReadOnlyError: The log takes no leaf now.
    """
    if members.find_member(connection, member) is None:
        raise ConfigurationError(
            f"Found no member {member[:96]!r}; list them with `yixin hub members`."
        )
    if suite:
        get_suite(suite)
    held = policy_of(connection, identity.hub, member)
    if (held.member, held.required) != (member, suite):
        _add(connection, identity, member, now_ms, required=suite)
    return policy_of(connection, identity.hub, member)


def restate_policy(
    connection: Connection, identity: HubIdentity, lost: Policy, now_ms: int
) -> bool:
    """State a policy again that a member holds and the database lost, under a new version.

    Args:
        connection: A writing transaction.
        identity: The hub.
        lost: Policy as the member holds it; its signature was verified.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        Whether it was: nothing happens where as high a version is held.

    Raises:
        LogReadOnlyError: The log takes no leaf now.
    """
    if policy_of(connection, identity.hub, lost.member).version >= lost.version:
        return False
    if lost.member:
        _add(connection, identity, lost.member, now_ms, required=lost.required)
    else:
        _add(connection, identity, EVERYBODY, now_ms, allowed=lost.allowed)
    return True


def retake_policy(connection: Connection, hub: str, leaf: transparency_pb2.LogLeaf) -> bool:
    """Take back a policy that the database lost, as its leaf proves it.

    Args:
        connection: A writing transaction; lost leaves are given in their order, and before numbers
            are skipped.
        hub: Member id of this hub.
        leaf: The lost leaf of a policy; it is in the log of this hub.

    Returns:
        Whether a policy with the leaf's digest was found, which is stated again as it was.
    """
    version = members.next_number(connection, COUNTER) + 1
    general = _newest(connection, (EVERYBODY,)).get(EVERYBODY) or _FIRST
    for allowed, required in _possible(leaf.recipient):
        own = _Stated(
            member=leaf.recipient,
            version=version,
            allowed=allowed,
            required=required,
            at_ms=leaf.logged_at_ms,
        )
        policy = _merged(hub, general if own.member else own, own)
        if hashlib.sha256(policy_body(policy)).digest() == leaf.envelope_hash:
            _insert(connection, own)
            return True
    return False


def _possible(member: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """What can be stated: suites allowed to all in any order, or one required of a member."""
    if member:
        yield from (((), required) for required in ("", *SUITE_NAMES))
        return
    for count in range(1, len(SUITE_NAMES) + 1):
        yield from ((allowed, "") for allowed in permutations(SUITE_NAMES, count))


def policy_of(connection: Connection, hub: str, member: str) -> Policy:
    """What one member may use now; see ``policies_of``."""
    return policies_of(connection, hub, [member])[member]


def policies_of(connection: Connection, hub: str, wanted: Collection[str]) -> Mapping[str, Policy]:
    """What some members may use now."""
    rows = _newest(connection, (EVERYBODY, *wanted))
    general = rows.get(EVERYBODY) or _FIRST
    return {member: _merged(hub, general, rows.get(member, general)) for member in wanted}


def signed_policy(
    connection: Connection, identity: HubIdentity, member: str
) -> identity_pb2.SuitePolicy:
    """What one member may use now, signed."""
    return _signed(identity.root, policy_of(connection, identity.hub, member))


def signed_history(
    connection: Connection, identity: HubIdentity
) -> Iterator[identity_pb2.SuitePolicy]:
    """Every policy whose leaf is in the log, oldest first: with the very body that was logged."""
    general = _FIRST
    for row in connection.execute(select(suite_policy).order_by(suite_policy.c.version)):
        own = _stated(row)
        general = general if own.member else own
        yield _signed(identity.root, _merged(identity.hub, general, own))


@lru_cache(maxsize=_SIGNED)
def _signed(root: SigningKey, policy: Policy) -> identity_pb2.SuitePolicy:
    # One policy is signed once per run: a signature of the identity key takes milliseconds.
    return sign_policy(root, policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """One row of the table."""

    member: str
    version: int
    allowed: tuple[str, ...]
    required: str
    at_ms: int


_FIRST: Final = _Stated(member=EVERYBODY, version=1, allowed=FIRST_ALLOWED, required="", at_ms=0)


def _stated(row: Row[Any]) -> _Stated:
    return _Stated(
        member=row.member,
        version=row.version,
        allowed=tuple(row.allowed.split(",")),
        required=row.required,
        at_ms=row.at_ms,
    )


def _newest(connection: Connection, wanted: Collection[str]) -> dict[str, _Stated]:
    newest = (
        select(func.max(suite_policy.c.version))
        .where(suite_policy.c.member.in_(list(wanted)))
        .group_by(suite_policy.c.member)
    )
    rows = connection.execute(select(suite_policy).where(suite_policy.c.version.in_(newest)))
    return {row.member: _stated(row) for row in rows}


def _merged(hub: str, general: _Stated, own: _Stated) -> Policy:
    newer = max(general, own, key=lambda stated: stated.version)
    needed = {own.required} - {"", *general.allowed}
    return Policy(
        hub=hub,
        member=own.member,
        version=newer.version,
        allowed=(*general.allowed, *needed),
        required=own.required,
        at_ms=newer.at_ms,
    )


def _add(
    connection: Connection,
    identity: HubIdentity,
    member: str,
    now_ms: int,
    *,
    allowed: tuple[str, ...] = (),
    required: str = "",
) -> None:
    version = members.next_number(connection, COUNTER) + 1
    own = _Stated(member=member, version=version, allowed=allowed, required=required, at_ms=now_ms)
    _insert(connection, own)
    signed = _signed(identity.root, policy_of(connection, identity.hub, member))
    leaf = log.event_leaf(
        transparency_pb2.LOG_KIND_POLICY,
        hub=identity.hub,
        digest=hashlib.sha256(signed.body).digest(),
        word=WORD,
        at_ms=now_ms,
        subject=member,
    )
    log.append_leaves(connection, [leaf])


def _insert(connection: Connection, stated: _Stated) -> None:
    connection.execute(
        insert(suite_policy).values(
            version=stated.version,
            member=stated.member,
            allowed=",".join(stated.allowed),
            required=stated.required,
            at_ms=stated.at_ms,
        )
    )
