"""Who may run a job, and whether another person has to approve it first.

Rules:
    1. While nobody is registered the owner of the command socket may do everything, as a single
       operator.
    2. Else a command is signed by somebody in office whose role the job's row names; only rows
       that name the public need no signature.
    3. A job that needs four eyes is kept for 7 days; another person with another key and the
       role approves it, once, while all it is bound to is as it was.
"""

import os
import pwd
import secrets
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from hub.domain.roles import SINGLE, Role
from hub.errors import ApprovalNeededError, RoleError
from hub.operators.acting import Actor
from hub.operators.four_eyes import APPROVERS, bound_digest, needs_four_eyes
from hub.operators.noting import OperatorEntry, note
from hub.store import operator_log, operators
from hub.store.operators import ApprovalRow, OperatorRow
from security.at_rest import Vault
from security.errors import BadSignatureError
from security.operator.commands import SignedCommand, arguments_digest

__all__ = ["Approved", "Asked", "approve", "identify", "require", "waiting_arguments", "waits"]

WAITS_MS: Final = 7 * 24 * 3600 * 1000
"""How long an approval waits, milliseconds."""
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job that somebody wants to run."""

    hub: str
    """Member id of this hub."""
    job: str
    """Its name."""
    arguments: Mapping[str, Any]
    """Its arguments, without a signature."""
    roles: AbstractSet[Role]
    """Roles that its row of the authorisation table names."""
    signed: SignedCommand | None
    """The signature beside the arguments, if any."""
    now_ms: int
    """Now, milliseconds since the epoch, UTC."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the arguments."""
        return arguments_digest(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A job that a second person let through."""

    job: str
    arguments: Mapping[str, Any]
    asked_by: str
    digest: bytes
    """SHA-256 of the arguments."""


def identify(connection: Connection, asked: Asked) -> Actor:
    """Tell who asks, and that the role allows it.

    Raises:
        RoleError: Nothing is signed, the name is nobody's in office, the signature does not fit,
            was used before or is out of time, or the role is another one.
    """
    if not operators.any_registered(connection):
        return Actor(name=_login(), role=SINGLE)
    if asked.signed is None:
        if Role.PUBLIC in asked.roles:
            return Actor(name=_login(), role=Role.PUBLIC)
        raise RoleError(
            f"{asked.job} needs a signature; expected a person with the role "
            f"{_names(asked.roles)}. Run: yixin hub --as NAME --key FILE …"
        )
    person = _in_office(connection, asked.signed.name)
    try:
        asked.signed.verify(
            person.public_key,
            hub=asked.hub,
            job=asked.job,
            digest=asked.digest,
            now_ms=asked.now_ms,
        )
    except BadSignatureError as error:
        raise RoleError(f"{error}.") from error
    if operator_log.is_used(connection, asked.signed.nonce):
        raise RoleError(
            f"This very command of {person.name!r} was taken before; sign it anew to repeat it."
        )
    if person.role not in asked.roles:
        raise RoleError(
            f"{person.name!r} is {person.role}, and {asked.job} is for {_names(asked.roles)}; "
            "ask somebody with that role."
        )
    return Actor(
        name=person.name,
        role=person.role,
        public_key=person.public_key,
        nonce=asked.signed.nonce,
    )


def require(connection: Connection, asked: Asked, actor: Actor, vault: Vault) -> ApprovalRow | None:
    """Let a job run, or keep it until another person approves it.

    Args:
        connection: A writing transaction; the caller commits it in both cases.
        asked: The job.
        actor: Who asks, from `identify`.
        vault: Seals the arguments while they wait.

    Returns:
        None when the job may run; else the approval it waits for, see `waits`.
    """
    if actor.role == SINGLE or not needs_four_eyes(connection, asked.job, asked.arguments):
        return None
    digest = bound_digest(connection, asked.job, asked.arguments, asked.digest)
    held = operators.waiting_approval(connection, digest, actor.name, asked.now_ms)
    if held is not None:
        return held
    approval_id = secrets.token_hex(_ID_BYTES)
    row = ApprovalRow(
        id=approval_id,
        job=asked.job,
        arguments=vault.seal(orjson.dumps(asked.arguments), _context(approval_id)),
        digest=digest,
        asked_by=actor.name,
        asked_key=actor.public_key,
        asked_at_ms=asked.now_ms,
        expires_at_ms=asked.now_ms + WAITS_MS,
    )
    operators.add_approval(connection, row)
    note(
        connection,
        OperatorEntry(
            hub=asked.hub,
            at_ms=asked.now_ms,
            job=asked.job,
            outcome="asked",
            subject=approval_id,
            arguments_digest=asked.digest,
            actor=actor,
        ),
    )
    return row


def waits(row: ApprovalRow) -> ApprovalNeededError:
    """How it is told that a job waits."""
    return ApprovalNeededError(
        f"{row.job} waits for a second person, approval {row.id}, digest {row.digest.hex()}. "
        "Another officer or reviewer looks at it and runs within 7 days: "
        f"yixin hub --as NAME --key FILE approve {row.id}"
    )


def waiting_arguments(row: ApprovalRow, vault: Vault) -> bytes:
    """Open the arguments of what waits: a JSON object."""
    return vault.open(row.arguments, _context(row.id))


def approve(connection: Connection, asked: Asked, actor: Actor, vault: Vault) -> Approved:
    """Let through what another person asked for; the approval is used up.

    Args:
        connection: A writing transaction.
        asked: The job ``approve``; its argument ``id`` names the approval.
        actor: Who approves, from `identify`.
        vault: Opens the arguments.

    Returns:
        The job to run.

    Raises:
        RoleError: The two people or their keys are the same, or one of them is out of office.
        ApprovalNeededError: Nothing waits under this id, or what it is bound to has changed.
    """
    row = operators.find_approval(connection, str(asked.arguments.get("id", "")))
    if row is None or row.decided_at_ms is not None or row.expires_at_ms <= asked.now_ms:
        raise ApprovalNeededError(
            "Nothing waits under this id: it is unknown, decided or older than 7 days. "
            "See: yixin hub operators approvals"
        )
    if actor.name == row.asked_by or actor.public_key == row.asked_key or not actor.public_key:
        raise RoleError(
            f"{actor.name!r} asked for {row.id} and cannot approve it as well; "
            "another officer or reviewer has to."
        )
    if actor.role not in APPROVERS:
        raise RoleError(f"{actor.name!r} is {actor.role}; {_names(APPROVERS)} may approve.")
    _in_office(connection, row.asked_by)
    arguments = orjson.loads(waiting_arguments(row, vault))
    digest = arguments_digest(arguments)
    if bound_digest(connection, row.job, arguments, digest) != row.digest:
        raise ApprovalNeededError(
            f"What {row.id} is bound to has changed since {row.asked_by!r} asked: {row.job} has "
            "to be asked for anew, and looked at anew."
        )
    operators.decide_approval(connection, row.id, actor.name, asked.now_ms)
    return Approved(job=row.job, arguments=arguments, asked_by=row.asked_by, digest=digest)


def _in_office(connection: Connection, name: str) -> OperatorRow:
    person = operators.find_operator(connection, name)
    if person is None or person.retired_at_ms is not None:
        raise RoleError(
            f"{name!r} is nobody's name here, or the person has retired; "
            "see: yixin hub operators list"
        )
    return person


def _names(roles: AbstractSet[Role]) -> str:
    return ", ".join(sorted(roles))


def _context(approval_id: str) -> str:
    return f"approval/{approval_id}"


def _login() -> str:
    """Login name of who runs this process."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
