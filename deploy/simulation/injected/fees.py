"""Charged lines of injected visits, with everything a line of the interface can say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.simulation.desk import Calendar
from deploy.simulation.money import Bill, yuan

__all__ = ["Fee", "answer_rows", "bill_of", "request_rows", "serials_of"]

NO_CAP: Final = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """One charged line."""

    code: str
    """National code (医疗目录编码); empty for an item of the institution's own."""
    second: int
    """Moment of the charge, seconds of the period."""
    count: float = 1
    price_fen: int = 2_000
    covered_fen: int | None = None
    """Part within the fund's scope; all of it where none is said."""
    category: str = "09"
    """Charge category (医疗收费项目类别)."""
    level: str = "01"
    """Coverage class (收费项目等级)."""
    cap_fen: int | None = None
    """Highest price the fund pays (定价上限金额); none where none is said."""
    doctor: str | None = None
    """Who ordered it; the visit's doctor where none is said."""
    local: str | None = None
    """The institution's own code; made from the national one where none is said."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the request's line, as the interface names them."""

    @property
    def amount_fen(self) -> int:
        """Amount of the line, fen."""
        return round(self.count * self.price_fen)

    @property
    def scope_fen(self) -> int:
        """Part within the fund's scope (符合政策范围金额), fen."""
        return self.amount_fen if self.covered_fen is None else self.covered_fen


def serials_of(mdtrt_id: str, fees: Sequence[Fee]) -> list[str]:
    """Number the lines of a visit (费用明细流水号)."""
    return [f"I{mdtrt_id[7:]}{place:03d}" for place in range(len(fees))]


def request_rows(
    calendar: Calendar, fees: Sequence[Fee], serials: Sequence[str], common: Mapping[str, object]
) -> list[dict[str, object]]:
    """Write the lines of a request.

    Args:
        calendar: Texts of the period's moments.
        fees: The lines.
        serials: Their numbers.
        common: Fields all of them have.
    """
    return [
        {
            "feedetl_sn": serial,
            **common,
            "fee_ocur_time": calendar.moment(fee.second),
            "med_list_codg": fee.code,
            "medins_list_codg": fee.local or f"YN{fee.code[:16]}",
            "det_item_fee_sumamt": yuan(fee.amount_fen),
            "cnt": fee.count,
            "pric": yuan(fee.price_fen),
            **({} if fee.doctor is None else {"bilg_dr_codg": fee.doctor}),
            **fee.more,
        }
        for fee, serial in zip(fees, serials, strict=True)
    ]


def answer_rows(fees: Sequence[Fee], serials: Sequence[str]) -> list[dict[str, object]]:
    """Write the platform's answer to uploaded lines.

    Args:
        fees: The lines.
        serials: Their numbers.
    """
    return [
        {
            "feedetl_sn": serial,
            "det_item_fee_sumamt": yuan(fee.amount_fen),
            "cnt": fee.count,
            "pric": yuan(fee.price_fen),
            "pric_uplmt_amt": NO_CAP if fee.cap_fen is None else yuan(fee.cap_fen),
            "inscp_scp_amt": yuan(fee.scope_fen),
            "chrgitm_lv": fee.level,
            "med_chrgitm_type": fee.category,
            "lmt_used_flag": "0",
        }
        for fee, serial in zip(fees, serials, strict=True)
    ]


def bill_of(fees: Sequence[Fee], *, fund_fen: int | None, account_percent: int) -> Bill:
    """Settle lines.

    Args:
        fees: The lines.
        fund_fen: What the fund pays; seven tenths of its scope where none is said.
        account_percent: Percent of the person's part that the personal account pays.
    """
    total = sum(fee.amount_fen for fee in fees)
    covered = sum(fee.scope_fen for fee in fees)
    own = sum(fee.amount_fen - fee.scope_fen for fee in fees if fee.level == "03")
    fund = (covered * 7 + 5) // 10 if fund_fen is None else fund_fen
    account = (total - fund) * account_percent // 100
    return Bill(
        total_fen=total,
        covered_fen=covered,
        own_fen=own,
        before_fen=total - covered - own,
        fund_fen=fund,
        account_fen=account,
        cash_fen=total - fund - account,
        share=round(fund / covered, 4) if covered else 0.0,
    )
