"""What a demonstration shows of the intake: numbers for scripts, a table for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSummary:
    """How records came in besides files of messages; names are those of the JSON file."""

    till_day: str
    """Day whose messages came call by call, through the gateway."""
    till_calls: int
    """Calls of that day."""
    till_unchanged: int
    """Answers that were the platform's own, to the byte."""
    copies_taken: int
    """Copies that the gateway kept and the daemon took in."""
    copies_lost: int
    """Calls that passed without a copy."""
    refused: int
    """Messages of that day that the node refused."""
    refused_reason: str
    """Why the first of them was."""
    mended: int
    """Refused messages that went in after their correction."""
    mended_by: str
    """The corrections."""
    table: str
    """Name of the table that went in through a mapping."""
    table_rows: int
    """Its rows that became records."""
    table_refused: int
    """Its rows that did not."""
    stock_movements: int
    """Movements of stock (进销存) that the nodes hold."""
    trace_codes: int
    """Trace codes (药品追溯码) that the nodes hold, one a pack and movement."""
    staff_members: int
    """Members of staff (医执人员) that the nodes hold, one a period."""
    backup_records: int
    """Records in the backup of one node."""
    backup_bytes: int
    """Size of the backup."""
    backup_verified: bool
    """Whether it was read back and compared."""

    @property
    def claims(self) -> Mapping[str, bool]:
        """What must hold, and whether it does."""
        return {
            f"{self.till_unchanged} of {self.till_calls} answers at the till unchanged; expected"
            " all": self.till_unchanged == self.till_calls > 0,
            f"{self.copies_taken} copies taken in, {self.copies_lost} lost; expected"
            f" {self.till_calls} and none":
                (self.copies_taken, self.copies_lost) == (self.till_calls, 0),
            f"{self.mended} of {self.refused} refused messages mended; expected 1 of 1":
                self.mended == self.refused == 1,
            f"{self.table_rows} rows of {self.table} taken in, {self.table_refused} refused;"
            " expected some and none": self.table_rows > 0 == self.table_refused,
            f"{self.trace_codes} trace codes of {self.stock_movements} movements; expected some":
                self.trace_codes > 0 < self.stock_movements,
            f"a backup of {self.backup_records} records, not verified": self.backup_verified,
        }  # fmt: skip

    def shown(self) -> Table:
        """Show it.

        Returns:
            A table of two columns.
        """
        table = Table(title="Intake 接入", show_header=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        table.add_row(
            "till behind the gateway 窗口经网关",
            f"{self.till_calls} calls of {self.till_day}, {self.till_unchanged} answers unchanged",
        )
        table.add_row(
            "copies for the node 报文副本", f"{self.copies_taken} taken in, {self.copies_lost} lost"
        )
        table.add_row("refused 拒收", f"{self.refused}: {self.refused_reason}")
        table.add_row("mended and replayed 更正重放", f"{self.mended}: {self.mended_by}")
        table.add_row(
            "table through a mapping 映射导入",
            f"{self.table_rows} rows of {self.table} (GB18030), {self.table_refused} refused",
        )
        table.add_row(
            "stock, trace codes 进销存、追溯码",
            f"{self.stock_movements:,} movements, {self.trace_codes:,} codes",
        )
        table.add_row("staff 医执人员", f"{self.staff_members:,}")
        verified = "read back and compared" if self.backup_verified else "not verified"
        table.add_row(
            "backup of a node 备份",
            f"{self.backup_records:,} records, {self.backup_bytes / 1e6:.1f} MB, {verified}",
        )
        return table
