"""The bureau's clearing file (清算文件) sampled into the tree, and the tree sampled into it.

Rules:
1. A settlement is known by institution, number and sign; amounts are yuan with at most two
   decimals in the file and fen among the records.
2. A drawn row of the file must be among the committed records, with its amounts, and its leaf
   must lead to the committed root: else it was hidden, or differs.
3. A drawn settlement among the committed records of the month must be in the file: else it was
   invented.

Source: SECURITY §13; field names of transactions 2207, 2304 and 3202.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from node.errors import IntakeFileError
from node.inspection.findings import MOST_LISTED, Check, ClearingFindings, Finding
from node.store.committed import STANDING, Committed
from node.store.deletions import SEQ
from scoring_kernel.tables import TableError, open_table
from security.spot.sampling import sample

__all__ = ["Cleared", "check_clearing", "read_clearing", "yuan_to_fen"]

COLUMNS: Final = ("fixmedins_code", "setl_id", "medfee_sumamt", "fund_pay_sumamt")
OPTIONAL: Final = ("refd_setl_flag",)
"""1 marks a reversal; without the column all rows are settlements."""
MAX_BYTES: Final = 1024 * 1024 * 1024
MAX_FEN: Final = 10**16

Key = tuple[str, str, int]
"""Institution, number of the settlement, sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """One settlement of the file."""

    medfee_fen: int
    fund_fen: int


def yuan_to_fen(text: str, what: str) -> int:
    """Turn an amount in yuan into fen.

    Raises:
        IntakeFileError: It is no amount with at most two decimals.

    >>> yuan_to_fen("-35.6", "row 2")
    -3560
    """
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        fen = Decimal("NaN")
    if not fen.is_finite() or fen != fen.to_integral_value() or abs(fen) > MAX_FEN:
        raise IntakeFileError(
            f"{what}: {text[:40]!r} is no amount in yuan with at most two decimals; ask the bureau "
            "for the file again"
        )
    return int(fen)


def read_clearing(path: Path) -> dict[Key, Cleared]:
    """Read a clearing file: CSV, workbook, Parquet or JSON lines.

    Raises:
        IntakeFileError: The file cannot be read, lacks a column, or names a settlement twice.
    """
    found: dict[Key, Cleared] = {}
    try:
        for number, row in _rows(path):
            what = f"{path.name} row {number}"
            sign = -1 if row.get("refd_setl_flag") == "1" else 1
            key = (row["fixmedins_code"] or "", row["setl_id"] or "", sign)
            if not key[0] or not key[1]:
                raise IntakeFileError(f"{what} lacks its institution or its settlement number")
            if key in found:
                raise IntakeFileError(
                    f"{what}: settlement {key[1]} of {key[0]} is in the file twice; ask the bureau "
                    "which row holds"
                )
            found[key] = Cleared(
                medfee_fen=yuan_to_fen(row["medfee_sumamt"] or "", what),
                fund_fen=yuan_to_fen(row["fund_pay_sumamt"] or "", what),
            )
    except TableError as error:
        raise IntakeFileError(f"{path.name}: {error}") from error
    return found


def check_clearing(
    opened: Committed,
    cleared: Mapping[Key, Cleared],
    institutions: Collection[str],
    *,
    month: int,
    size: int,
    seed: bytes,
    wanted: int,
) -> tuple[ClearingFindings, tuple[int, ...]]:
    """Compare samples both ways.

    Args:
        opened: Versions of settlements.
        cleared: The file.
        institutions: Institutions under the node's custody.
        month: Month of the file, yyyymm.
        size: Leaves of the committed tree.
        seed: Seed of the samples.
        wanted: Size of each sample; all rows where there are fewer.

    Returns:
        What was found, and the leaves of the settlements that were looked for and found.
    """
    mine = {key: one for key, one in cleared.items() if key[0] in institutions}
    recorded = _recorded(opened, size)
    of_month = sorted(key for key, one in recorded.items() if one[3] == month)
    findings: list[Finding] = []
    leaves: list[int] = []
    keys = sorted(mine)
    drawn = sample(seed, "clearing", len(keys), wanted)
    for key in (keys[at] for at in drawn):
        held = recorded.get(key)
        subject = f"settlement {key[1]} of {key[0]}" + (" (reversal)" if key[2] < 0 else "")
        if held is None:
            detail = "was cleared, but is not among the committed records"
            findings.append(Finding(check=Check.HIDDEN, subject=subject, detail=detail))
            continue
        leaves.append(held[0])
        one = mine[key]
        # A reversal's amounts are negative among the records, and may be either in a file.
        expected = (held[1], held[2])
        if expected not in {
            (one.medfee_fen, one.fund_fen),
            (key[2] * one.medfee_fen, key[2] * one.fund_fen),
        }:
            findings.append(
                Finding(
                    check=Check.DIFFERS,
                    subject=subject,
                    detail=f"was cleared with {one.medfee_fen} and {one.fund_fen} fen, committed "
                    f"with {held[1]} and {held[2]} fen (fees, paid by the fund)",
                )
            )
    back = sample(seed, "recorded", len(of_month), wanted)
    findings += [
        Finding(
            check=Check.INVENTED,
            subject=f"settlement {of_month[at][1]} of {of_month[at][0]}",
            detail="is among the committed records, but was not cleared",
        )
        for at in back
        if of_month[at] not in cleared
    ]
    return (
        ClearingFindings(
            cleared=len(mine),
            cleared_sampled=len(drawn),
            recorded=len(of_month),
            recorded_sampled=len(back),
            foreign=len(cleared) - len(mine),
            findings=tuple(findings[:MOST_LISTED]),
        ),
        tuple(leaves),
    )


def _recorded(opened: Committed, size: int) -> dict[Key, tuple[int, int, int, int]]:
    """Leaf, fees, fund and month of every settlement that stood at the size, by key."""
    found = opened.stand_as_of(size).execute(
        f"select institution, setl_id, sign, {SEQ}, medfee_fen, fund_fen, month"  # noqa: S608 - fixed names
        f" from settlement{STANDING}"
    )
    return {
        (row[0], row[1], int(row[2])): (row[3], row[4], row[5], row[6]) for row in found.fetchall()
    }


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    with open_table(path, max_bytes=MAX_BYTES) as table:
        lacking = [name for name in COLUMNS if name not in table.header]
        if lacking:
            raise IntakeFileError(
                f"{path.name} lacks the columns {', '.join(lacking)}; a clearing file has "
                f"{', '.join(COLUMNS)} and perhaps {', '.join(OPTIONAL)}"
            )
        present = [name for name in (*COLUMNS, *OPTIONAL) if name in table.header]
        for batch in table.batches(columns=present):
            for fault in batch.faults:
                raise IntakeFileError(
                    f"{path.name} row {fault.number}: {fault.found}, expected {fault.expected}"
                )
            names = list(batch.columns)
            cells = (batch.columns[name].to_pylist() for name in names)
            for number, row in zip(batch.numbers.tolist(), zip(*cells, strict=True), strict=True):
                yield number, dict(zip(names, row, strict=True))
