"""The custody register (管辖登记) in the database.

Port rules: rows of an invited member count only once it joined; the version of the register grows
with every change, in the transaction of the change.
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
    """Rows of one member, in order of entry."""
    query = select(custody).where(custody.c.member == member_id).order_by(custody.c.id)
    return tuple(_row(row) for row in connection.execute(query).mappings())


def version(connection: Connection) -> int:
    """Version of the register; 0 when nothing was ever entered."""
    return current_number(connection, VERSION_COUNTER)


def propose(connection: Connection, member_id: MemberId, rows: Sequence[Custody]) -> None:
    """Enter rows for a member; they count once it is active. The same rows again change nothing.

    Raises:
        CustodyError: A row covers a slot of another member, active or invited.
    """
    if not rows:
        return
    register(connection, active_only=False).with_rows(rows)
    held = set(rows_of(connection, member_id))
    new = [row for row in dict.fromkeys(rows) if row not in held]
    replaced = {(row.institution, row.measure_set, row.from_month, row.to_month) for row in new}
    for institution, measure_set, from_month, to_month in replaced:
        connection.execute(
            delete(custody).where(
                custody.c.member == member_id,
                custody.c.institution == institution,
                custody.c.measure_set == measure_set,
                custody.c.from_month == from_month,
                custody.c.to_month == to_month,
            )
        )
    if new:
        connection.execute(insert(custody), [_values(row) for row in new])
        next_number(connection, VERSION_COUNTER)


def activate(connection: Connection, member_id: MemberId) -> None:
    """Let the rows of a member that joined count."""
    connection.execute(update(custody).where(custody.c.member == member_id).values(active=True))
    next_number(connection, VERSION_COUNTER)


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
