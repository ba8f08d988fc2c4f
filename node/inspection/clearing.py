"""The bureau's clearing file (清算文件) sampled into the tree, and the tree sampled into it.

Rules:
1. A settlement is known by institution, number and sign; amounts are yuan with at most two
   decimals in the file and fen among the records.
2. A drawn row of the file must be among the committed records, with its amounts, and its leaf
   must lead to the committed root: else it was hidden, or differs.
3. A drawn settlement among the committed records of the month must be in the file: else it was
   invented.
4. Where the file names the clearing type (清算类别), a drawn settlement must have been cleared as
   the kind of care that its record says: at a pharmacy, as an inpatient or as an outpatient. The
   records hold no clearing type, so that two types of one kind of care cannot be told apart, and
   types that say no kind of care are counted and not judged.

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
OPTIONAL: Final = ("refd_setl_flag", "clr_type")
"""1 marks a reversal, without the column all rows are settlements; and the clearing type."""
CARE: Final[Mapping[str, str]] = {"11": "outpatient", "21": "inpatient", "41": "pharmacy"}
"""What kind of care a clearing type says."""
_PHARMACY: Final = ("P", "41")
"""How codes of pharmacies begin, and the category of care (医疗类别) of purchases there."""
MAX_BYTES: Final = 1024 * 1024 * 1024
MAX_FEN: Final = 10**16

Key = tuple[str, str, int]
"""Institution, number of the settlement, sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """One settlement of the file."""

    medfee_fen: int
    fund_fen: int
    clearing_type: str = ""
    """Clearing type (清算类别); empty where the file names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """One settlement among the records."""

    seq: int
    medfee_fen: int
    fund_fen: int
    month: int
    care: str
    """Kind of care: a value of ``CARE``."""


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
                clearing_type=(row.get("clr_type") or "").strip(),
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
    of_month = sorted(key for key, one in recorded.items() if one.month == month)
    findings: list[Finding] = []
    leaves: list[int] = []
    keys = sorted(mine)
    drawn = sample(seed, "clearing", len(keys), wanted)
    for key in (keys[at] for at in drawn):
        held = recorded.get(key)
        subject = _subject(key)
        if held is None:
            detail = "was cleared, but is not among the committed records"
            findings.append(Finding(check=Check.HIDDEN, subject=subject, detail=detail))
            continue
        leaves.append(held.seq)
        one = mine[key]
        # A reversal's amounts are negative among the records, and may be either in a file.
        expected = (held.medfee_fen, held.fund_fen)
        if expected not in {
            (one.medfee_fen, one.fund_fen),
            (key[2] * one.medfee_fen, key[2] * one.fund_fen),
        }:
            findings.append(
                Finding(
                    check=Check.DIFFERS,
                    subject=subject,
                    detail=f"was cleared with {one.medfee_fen} and {one.fund_fen} fen, committed "
                    f"with {held.medfee_fen} and {held.fund_fen} fen (fees, paid by the fund)",
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
    both = {*(keys[at] for at in drawn), *(of_month[at] for at in back)}
    looked = [
        (key, mine[key], recorded[key]) for key in sorted(both & mine.keys() & recorded.keys())
    ]
    findings += [
        _misfiled(*one)
        for one in looked
        if one[1].clearing_type in CARE and CARE[one[1].clearing_type] != one[2].care
    ]
    return (
        ClearingFindings(
            cleared=len(mine),
            cleared_sampled=len(drawn),
            recorded=len(of_month),
            recorded_sampled=len(back),
            foreign=len(cleared) - len(mine),
            untyped=sum(one.clearing_type not in CARE for _, one, _ in looked),
            findings=tuple(findings[:MOST_LISTED]),
        ),
        tuple(leaves),
    )


def _subject(key: Key) -> str:
    return f"settlement {key[1]} of {key[0]}" + (" (reversal)" if key[2] < 0 else "")


def _misfiled(key: Key, one: Cleared, held: _Recorded) -> Finding:
    return Finding(
        check=Check.MISFILED,
        subject=_subject(key),
        detail=f"was cleared under type {one.clearing_type} ({CARE[one.clearing_type]}), "
        f"committed as {held.care}",
    )


def _recorded(opened: Committed, size: int) -> dict[Key, _Recorded]:
    """Every settlement that stood at the size, by key."""
    found = opened.stand_as_of(size).execute(
        f"select institution, setl_id, sign, {SEQ}, medfee_fen, fund_fen, month, inpatient,"  # noqa: S608 - fixed names
        f" med_type from settlement{STANDING} order by sign desc"
    )
    recorded: dict[Key, _Recorded] = {}
    for (
        institution,
        number,
        sign,
        seq,
        medfee,
        fund,
        month,
        inpatient,
        med_type,
    ) in found.fetchall():
        # A reversal's message names no care: it is that of the settlement it takes back.
        former = recorded.get((institution, number, 1))
        is_pharmacy = institution.startswith(_PHARMACY[0]) or med_type == _PHARMACY[1]
        care = "pharmacy" if is_pharmacy else "inpatient" if inpatient else "outpatient"
        recorded[institution, number, int(sign)] = _Recorded(
            seq=seq,
            medfee_fen=medfee,
            fund_fen=fund,
            month=month,
            care=former.care if former is not None else care,
        )
    return recorded


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
