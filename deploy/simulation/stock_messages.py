"""What happens to the stock as messages (3501, 3502, 3503, 3505A, 3506), or as a table's rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from deploy.simulation.desk import Desk
from deploy.simulation.money import yuan
from deploy.simulation.price_list import DRUGS
from deploy.simulation.shelves import Batch, Packs, Sale

TABLE_COLUMNS: Final = (
    *("机构编码", "业务流水", "业务", "变更类型", "国家编码", "院内编码", "品名", "批次"),
    *("生产批号", "有效期至", "数量（盒）", "单价（元）", "发生时间"),
)
"""Columns of the stock table of an institution whose software has no such interface."""
_MADE_DAYS_BEFORE: Final = 120
_SHELF_LIFE_DAYS: Final = 730
_PHARMACY_COST_PERCENT: Final = 85
"""Pharmacies earn on what they sell; hospitals charge what they paid (零差率)."""
_DESTROYED: Final = "105"
_BREAKAGE: Final = "报损"
_NO_SPLIT: Final = "0"


def trade_name(batch: Batch) -> str:
    """Give the made-up name of a batch's drug."""
    return f"仿真药品{batch.item.local_code}"


def lot(batch: Batch) -> str:
    """Give the maker's number of a batch (生产批号)."""
    return f"L{_made(batch):%Y%m%d}"


def _made(batch: Batch) -> date:
    return date.fromisoformat(batch.delivered) - timedelta(days=_MADE_DAYS_BEFORE)


def _expires(batch: Batch) -> str:
    return (_made(batch) + timedelta(days=_SHELF_LIFE_DAYS)).isoformat()


def _cost(batch: Batch, desk: Desk) -> float:
    percent = _PHARMACY_COST_PERCENT if desk.institution.is_pharmacy else 100
    return yuan(batch.item.price_fen * percent // 100)


def _rx(batch: Batch) -> str:
    return str(DRUGS.index(batch.item) % 2)


def _traced(packs: Packs) -> list[dict[str, str]]:
    return [{"drug_trac_codg": code} for code in packs.codes]


def _article(batch: Batch) -> dict[str, object]:
    """Write what every movement says about its article."""
    return {
        "med_list_codg": batch.item.national_code,
        "fixmedins_hilist_id": batch.item.local_code,
        "fixmedins_hilist_name": trade_name(batch),
        "fixmedins_bchno": batch.number,
        "rx_flag": _rx(batch),
    }


def _making(batch: Batch) -> dict[str, object]:
    return {
        "manu_lotnum": lot(batch),
        "manu_date": _made(batch).isoformat(),
        "expy_end": _expires(batch),
    }


def _sold(packs: Packs, sale: Sale) -> dict[str, object]:
    return {
        **_article(packs.batch),
        **_making(packs.batch),
        "setl_id": sale.setl_id,
        "mdtrt_sn": sale.mdtrt_id,
        "psn_no": sale.person.number,
        "psn_cert_type": "01",
        "certno": sale.person.identity,
        "trdn_flag": _NO_SPLIT,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBook:
    """Writes the stock as messages of the national interface."""

    desk: Desk

    def bought(self, packs: Packs, second: int) -> None:
        """Write a delivery (商品采购)."""
        batch = packs.batch
        content = {
            **_article(batch),
            **_making(batch),
            "spler_name": "温州市仿真医药配送公司",
            "prdr_name": "仿真药业",
            "aprvno": f"国药准字仿{DRUGS.index(batch.item):04d}",
            "finl_trns_pric": _cost(batch, self.desk),
            "purc_retn_cnt": len(packs.codes),
            "purc_invo_no": f"FP{batch.number[1:]}",
            "purc_retn_stoin_time": self.desk.calendar.moment(second),
            "purc_retn_opter_name": "仿真采购员",
            "drugtracinfo": _traced(packs),
        }
        self.desk.send("3503", second, None, {"purcinfo": content}, {})
        self.desk.tally.packs_bought += len(packs.codes)

    def broken(self, packs: Packs, second: int) -> None:
        """Write packs that are destroyed (商品库存变更)."""
        content = {
            **_article(packs.batch),
            "inv_chg_type": _DESTROYED,
            "pric": _cost(packs.batch, self.desk),
            "cnt": len(packs.codes),
            "inv_chg_time": self.desk.calendar.moment(second),
            "trdn_flag": _NO_SPLIT,
            "drugtracinfo": _traced(packs),
        }
        self.desk.send("3502", second, None, {"invinfo": content}, {})
        self.desk.tally.packs_broken += len(packs.codes)

    def counted(self, packs: Packs, second: int) -> None:
        """Write what a count found (商品盘存)."""
        content = {
            **_article(packs.batch),
            **_making(packs.batch),
            "invdate": self.desk.calendar.day(second),
            "inv_cnt": len(packs.codes),
            "drugtracinfo": _traced(packs),
        }
        self.desk.send("3501", second, None, {"invinfo": content}, {})
        self.desk.tally.packs_counted += len(packs.codes)

    def returned(self, packs: Packs, sale: Sale, second: int) -> None:
        """Write packs that came back (商品销售退货)."""
        content = {
            **_sold(packs, sale),
            "finl_trns_pric": yuan(packs.batch.item.price_fen),
            "sel_retn_cnt": len(packs.codes),
            "sel_retn_time": self.desk.calendar.moment(second),
            "sel_retn_opter_name": "收费员",
            "drugtracinfo": _traced(packs),
        }
        self.desk.send("3506", second, sale.person, {"selinfo": content}, {})
        self.desk.tally.packs_returned += len(packs.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBook:
    """Writes the stock as rows of a table, as a system without the interface exports it."""

    desk: Desk
    rows: list[dict[str, object]] = field(repr=False)
    """Takes the rows, by ``TABLE_COLUMNS``."""

    def bought(self, packs: Packs, second: int) -> None:
        """Write a delivery."""
        self._write("采购", packs, second, yuan_each=_cost(packs.batch, self.desk))
        self.desk.tally.packs_bought += len(packs.codes)

    def broken(self, packs: Packs, second: int) -> None:
        """Write packs that are destroyed."""
        self._write(_BREAKAGE, packs, second, yuan_each=_cost(packs.batch, self.desk))
        self.desk.tally.packs_broken += len(packs.codes)

    def counted(self, packs: Packs, second: int) -> None:
        """Write what a count found."""
        self._write("盘点", packs, second)
        self.desk.tally.packs_counted += len(packs.codes)

    def returned(self, packs: Packs, _sale: Sale, second: int) -> None:
        """Write packs that came back."""
        self._write("销售退货", packs, second, yuan_each=yuan(packs.batch.item.price_fen))
        self.desk.tally.packs_returned += len(packs.codes)

    def _write(
        self, what: str, packs: Packs, second: int, *, yuan_each: float | None = None
    ) -> None:
        batch = packs.batch
        values = (
            *(self.desk.institution.code, f"KC{len(self.rows) + 1:06d}"),
            *(what, _DESTROYED if what == _BREAKAGE else "", batch.item.national_code),
            *(batch.item.local_code, trade_name(batch), batch.number, lot(batch)),
            *(_expires(batch), len(packs.codes), "" if yuan_each is None else f"{yuan_each:.2f}"),
            self.desk.calendar.moment(second),
        )
        self.rows.append(dict(zip(TABLE_COLUMNS, values, strict=True)))


def settled_codes(serial: str, taken: Sequence[Packs]) -> list[dict[str, str]]:
    """Write the codes of one charged line as a settlement carries them (2207).

    Args:
        serial: Number of the line (费用明细流水号).
        taken: Packs that were handed out for it.

    Returns:
        One object a pack.
    """
    return [
        {
            "feedetl_sn": serial,
            "drug_trac_codg": code,
            "trdn_flag": _NO_SPLIT,
            "min_prcunt_type": "2",
        }
        for packs in taken
        for code in packs.codes
    ]


def send_sale(desk: Desk, taken: Sequence[Packs], sale: Sale, second: int) -> None:
    """Write what was sold (商品销售, 3505A); nothing where nothing of it is traced.

    Args:
        desk: The seller's counter.
        taken: What was sold.
        sale: Whom it was sold to.
        second: Moment of the message.
    """
    lines = [
        {
            **_sold(packs, sale),
            "prsc_dr_name": "仿真医师",
            "rxno": f"CF{sale.setl_id[7:]}",
            "phar_name": "仿真药师",
            "hi_feesetl_type": "1",
            "mdtrt_setl_type": "1",
            "rtal_docno": f"LS{sale.setl_id[7:]}",
            "finl_trns_pric": yuan(packs.batch.item.price_fen),
            "sel_retn_cnt": len(packs.codes),
            "sel_retn_time": desk.calendar.moment(second),
            "sel_retn_opter_name": "收费员",
            "drugtracinfo": _traced(packs),
        }
        for packs in taken
    ]
    if lines:
        answer = {"result": {"retRslt": "1"}}
        desk.send("3505A", second, sale.person, {"selinfoDetail": lines}, answer)
