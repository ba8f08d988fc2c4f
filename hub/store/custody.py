"""The custody register (管辖登记) in the database.

Port rules: the rows of a token count from the join on and then replace those the member had; until
then the rows in force stay untouched. The version of the register grows with every change of the
rows in force, in the transaction of the change.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from hub.domain.custody import Custody, CustodyRegister
from hub.domain.members import InstitutionCode, MemberId
from hub.store.members import current_number, next_number
from hub.store.tables import custody

VERSION_COUNTER = "custody_version"


def register(connection: Connection, *, active_only: bool = True) -> CustodyRegister:
    """Load the register.

    Args:
        connection: Any transaction.
        active_only: Leave out rows of members that have not joined.
    """
    query = select(custody).order_by(custody.c.id)
    if active_only:
        query = query.where(custody.c.active)
    return CustodyRegister(_row(row) for row in connection.execute(query).mappings())


def rows_of(connection: Connection, member_id: str) -> tuple[Custody, ...]:
    """Rows in force of one member, in order of entry."""
    query = select(custody).where(custody.c.member == member_id, custody.c.active)
    return tuple(_row(row) for row in connection.execute(query.order_by(custody.c.id)).mappings())


def version(connection: Connection) -> int:
    """Version of the register; 0 when nothing was ever entered."""
    return current_number(connection, VERSION_COUNTER)


def propose(connection: Connection, member_id: MemberId, rows: Sequence[Custody]) -> None:
    """Enter the rows of a token; they count from the join on, and nothing changes before.

    They take the place of rows proposed with an earlier token. A row made from a code alone takes
    the name and class of the institution from a row that knows them. Without rows nothing changes.

    Raises:
        CustodyError: A row covers a slot of another member, active or invited.
    """
    if not rows:
        return
    known = register(connection, active_only=False)
    new = [_described(row, known) for row in dict.fromkeys(rows)]
    known.with_rows(new)
    connection.execute(
        delete(custody).where(custody.c.member == member_id, custody.c.active.is_(False))
    )
    connection.execute(insert(custody), [_values(row) for row in new])


def activate(connection: Connection, member_id: MemberId) -> None:
    """Let the rows proposed for a member that joined count, in place of those it had.

    A member whose token named no institutions keeps its rows.
    """
    proposed = (custody.c.member == member_id, custody.c.active.is_(False))
    if connection.execute(select(custody.c.id).where(*proposed).limit(1)).first() is not None:
        connection.execute(delete(custody).where(custody.c.member == member_id, custody.c.active))
        connection.execute(update(custody).where(*proposed).values(active=True))
    next_number(connection, VERSION_COUNTER)


def _described(row: Custody, known: CustodyRegister) -> Custody:
    if not row.is_bare:
        return row
    full = [held for held in known.rows(row.institution) if not held.is_bare]
    return row.described_by(full[-1]) if full else row


def _values(row: Custody) -> dict[str, object]:
    return {
        "institution": row.institution,
        "measure_set": row.measure_set,
        "member": row.member,
        "from_month": row.from_month,
        "to_month": row.to_month,
        "name": row.name,
        "level": row.level,
        "type": row.type,
        "division": row.division,
        "active": False,
    }


def _row(row: RowMapping) -> Custody:
    return Custody(
        institution=InstitutionCode(row["institution"]),
        measure_set=row["measure_set"],
        member=MemberId(row["member"]),
        from_month=row["from_month"],
        to_month=row["to_month"],
        name=row["name"],
        level=row["level"],
        type=row["type"],
        division=row["division"],
    )


class CustodyCache:
    """The register in force, loaded again only when its version grew."""

    __slots__ = ("_register", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._register = CustodyRegister(())

    def get(self, connection: Connection) -> CustodyRegister:
        """The register as this transaction sees it."""
        held = version(connection)
        if held != self._version:
            self._register = register(connection)
            self._version = held
        return self._register
