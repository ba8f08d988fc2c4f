"""The bureau's side of a simulated month: its clearing file, and its totals of 3201.

Rules: both are written from the platform's answers alone, as a bureau has them, never from what a
node took in; a reversal stands under the number of the settlement it takes back, with its flag.

Source: transactions 2207, 2208, 2304, 2305 and 3201 of the national interface.
"""

import calendar
import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.errors import SimulationError

SETTLED: Final = frozenset({"2207", "2304"})
REVERSED: Final = frozenset({"2208", "2305"})
COLUMNS: Final = (
    "fixmedins_code",
    "setl_id",
    "setl_time",
    "insutype",
    "clr_type",
    "medfee_sumamt",
    "fund_pay_sumamt",
    "acct_pay",
    "psn_cash_pay",
    "refd_setl_flag",
)
_SUMMED: Final = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What was written."""

    clearing: Path
    """CSV of the month's settlements and reversals."""
    totals: Path
    """Messages of 3201, one a line."""
    rows: int
    """Settlements and reversals."""
    messages: int
    """Totals: institutions by insurance and clearing type."""


def write_clearing(city: Path, month: int, out: Path) -> Clearing:
    """Write a month of a simulated city as its bureau would.

    Args:
        city: Directory of the city.
        month: yyyymm.
        out: Directory to write to; made where it is not there.

    Raises:
        SimulationError: There are no messages, or files of that month are there already.
    """
    rows = sorted(_rows(city, month), key=lambda row: (row["fixmedins_code"], row["setl_time"]))
    if not rows:
        raise SimulationError(
            f"found no settlement of {month} below {city}; expected a directory of `yixin simulate`"
        )
    out.mkdir(parents=True, exist_ok=True)
    clearing, totals = out / f"clearing-{month}.csv", out / f"3201-{month}.jsonl"
    messages = [orjson.dumps(message) for message in _messages(rows, month)]
    try:
        with clearing.open("x", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        with totals.open("xb") as lines:
            lines.write(b"".join(message + b"\n" for message in messages))
    except FileExistsError as error:
        raise SimulationError(f"{error.filename} is already there; name a new directory") from error
    return Clearing(clearing=clearing, totals=totals, rows=len(rows), messages=len(messages))


def _rows(city: Path, month: int) -> Iterator[dict[str, Any]]:
    settled: dict[tuple[str, str], Mapping[str, Any]] = {}
    for path in sorted((city / "messages").rglob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                document = orjson.loads(line)
                infno, response = document["infno"], document.get("response") or {}
                if infno not in SETTLED | REVERSED or response.get("infcode") != 0:
                    continue
                told = response["output"]["setlinfo"]
                institution = document["request"]["fixmedins_code"]
                is_reversed = infno in REVERSED
                number = (
                    document["request"]["input"]["data"]["setl_id"]
                    if is_reversed
                    else told["setl_id"]
                )
                former = settled.get((institution, number), told) if is_reversed else told
                if not is_reversed:
                    settled[institution, number] = told
                if told["setl_time"][:7].replace("-", "") != str(month):
                    continue
                yield {
                    "fixmedins_code": institution,
                    "setl_id": number,
                    "setl_time": told["setl_time"],
                    "insutype": former.get("insutype", ""),
                    "clr_type": former.get("clr_type", ""),
                    **{name: _yuan(told[name]) for name in (*_SUMMED, "psn_cash_pay")},
                    "refd_setl_flag": "1" if is_reversed else "0",
                }


def _messages(rows: list[dict[str, Any]], month: int) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["fixmedins_code"], row["insutype"], row["clr_type"]].append(row)
    year, number = divmod(month, 100)
    last = calendar.monthrange(year, number)[1]
    for (institution, insutype, clr_type), part in sorted(groups.items()):
        yield {
            "infno": "3201",
            "fixmedins_code": institution,
            "input": {
                "data": {
                    "insutype": insutype,
                    "clr_type": clr_type,
                    "setl_optins": institution[1:7],
                    "stmt_begndate": f"{year}-{number:02}-01",
                    "stmt_enddate": f"{year}-{number:02}-{last}",
                    **{
                        name: _yuan(sum((Decimal(row[name]) for row in part), Decimal(0)))
                        for name in _SUMMED
                    },
                    "fixmedins_setl_cnt": len(part),
                }
            },
        }


def _yuan(amount: object) -> str:
    return f"{Decimal(str(amount)):.2f}"
