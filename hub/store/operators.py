"""The register of the people who command the hub, and what waits for a second one of them.

Rules: a key belongs to one person for ever, a retired one's too; an approval is decided once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, or_, select, update

from hub.domain.roles import REGISTERED, Role
from hub.store.operator_tables import approval, operator


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """A person of the register."""

    name: str
    role: Role
    public_key: bytes
    """Ed25519, 32 bytes."""
    added_at_ms: int
    retired_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """Something that one person asked for and another has to approve."""

    id: str
    """16 hex digits."""
    job: str
    arguments: bytes = field(repr=False)
    """Arguments as JSON, sealed by the vault for this id."""
    digest: bytes
    """SHA-256 over job, arguments and the state they were asked in, 32 bytes."""
    asked_by: str
    asked_key: bytes
    """Public key of who asked."""
    asked_at_ms: int
    expires_at_ms: int
    decided_by: str | None = None
    decided_at_ms: int | None = None


def any_registered(connection: Connection) -> bool:
    """Whether anybody was ever registered; if not, the hub is in single-operator mode."""
    return connection.execute(select(operator.c.name).limit(1)).first() is not None


def mode(connection: Connection) -> str:
    """Whether commands are signed: how many people are in office, or ``single operator``."""
    if not any_registered(connection):
        return "single operator"
    return f"roles, {count_active(connection, sorted(REGISTERED))} in office"


def find_operator(connection: Connection, name: str) -> OperatorRow | None:
    """Look a person up; None when the register does not hold the name."""
    row = connection.execute(select(operator).where(operator.c.name == name)).first()
    return None if row is None else _operator(row._mapping)  # noqa: SLF001 - SQLAlchemy's name


def is_taken(connection: Connection, name: str, public_key: bytes) -> bool:
    """Whether the name or the key is, or was, somebody's."""
    query = select(operator.c.name).where(
        or_(operator.c.name == name, operator.c.public_key == public_key)
    )
    return connection.execute(query.limit(1)).first() is not None


def list_operators(connection: Connection) -> tuple[OperatorRow, ...]:
    """Everybody, also who retired, by name."""
    rows = connection.execute(select(operator).order_by(operator.c.name)).mappings()
    return tuple(_operator(row) for row in rows)


def count_active(connection: Connection, roles: Sequence[Role]) -> int:
    """Number of people in office who have one of the roles."""
    query = select(func.count()).select_from(operator)
    query = query.where(operator.c.retired_at_ms.is_(None), operator.c.role.in_(roles))
    return int(connection.execute(query).scalar_one())


def add_operator(connection: Connection, row: OperatorRow) -> None:
    """Register a person whose name and key are nobody's."""
    connection.execute(
        insert(operator).values(
            name=row.name,
            role=str(row.role),
            public_key=row.public_key,
            added_at_ms=row.added_at_ms,
        )
    )


def retire_operator(connection: Connection, name: str, now_ms: int) -> bool:
    """Retire a person in office.

    Returns:
        Whether there was such a person.
    """
    query = update(operator).where(operator.c.name == name, operator.c.retired_at_ms.is_(None))
    return connection.execute(query.values(retired_at_ms=now_ms)).rowcount == 1


def add_approval(connection: Connection, row: ApprovalRow) -> None:
    """Keep what waits for approval."""
    connection.execute(
        insert(approval).values(
            id=row.id,
            job=row.job,
            arguments=row.arguments,
            digest=row.digest,
            asked_by=row.asked_by,
            asked_key=row.asked_key,
            asked_at_ms=row.asked_at_ms,
            expires_at_ms=row.expires_at_ms,
        )
    )


def find_approval(connection: Connection, approval_id: str) -> ApprovalRow | None:
    """Look an approval up by its id."""
    query = select(approval).where(approval.c.id == approval_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else ApprovalRow(**row)


def waiting_approval(
    connection: Connection, digest: bytes, asked_by: str, now_ms: int
) -> ApprovalRow | None:
    """The same thing, asked by the same person and still waiting; None when there is none."""
    query = select(approval).where(
        approval.c.digest == digest,
        approval.c.asked_by == asked_by,
        approval.c.decided_at_ms.is_(None),
        approval.c.expires_at_ms > now_ms,
    )
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else ApprovalRow(**row)


def list_approvals(connection: Connection, now_ms: int) -> tuple[ApprovalRow, ...]:
    """What still waits, oldest first."""
    query = (
        select(approval)
        .where(approval.c.decided_at_ms.is_(None), approval.c.expires_at_ms > now_ms)
        .order_by(approval.c.asked_at_ms, approval.c.id)
    )
    return tuple(ApprovalRow(**row) for row in connection.execute(query).mappings())


def decide_approval(connection: Connection, approval_id: str, by: str, now_ms: int) -> bool:
    """Use an approval up.

    Returns:
        Whether it was still undecided.
    """
    query = update(approval).where(approval.c.id == approval_id, approval.c.decided_at_ms.is_(None))
    return connection.execute(query.values(decided_by=by, decided_at_ms=now_ms)).rowcount == 1


def _operator(row: object) -> OperatorRow:
    values = dict(row)  # type: ignore[call-overload]  # a mapping of the driver
    return OperatorRow(**values | {"role": Role(values["role"])})
