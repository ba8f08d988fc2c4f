"""Records and knowledge in Chinese words: what a column is called, its unit, what a code means.

Rules:
- A column is called the same in all kinds and knowledge tables that have it, unless its own says
  otherwise.
- Codes of a loaded list have the list's words, behind the code: 09（西药费）; a code that the
  list does not know stands alone.
"""

from collections.abc import Mapping
from typing import Final

from node.domain.column_names import NAMES, NAMES_OF_KIND
from scoring_kernel.code_lists import CodeList

__all__ = ["LEFT_OUT", "LISTS", "UNITS", "WORDS", "name_of", "told_value"]

LEFT_OUT: Final = frozenset(("record_id", "institution", "month"))
"""Columns of every kind that are told with the record, not among its values."""

_ENDS: Final = ("_fen", "_e4", "_e6")
UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("amount", "price", "inscp", "medfee", "fund", "account", "cash"), "元"),
    **dict.fromkeys(("pooled", "own", "cap"), "元"),
    **dict.fromkeys(("latitude", "longitude"), "度"),
    **dict.fromkeys(("beds", "insured_beds"), "张"),
    **dict.fromkeys(("doctors", "pharmacists", "nurses", "technicians"), "人"),
    **dict.fromkeys(("full_price", "package_price"), "元"),
    **dict.fromkeys(("days", "limit_days", "total_days", "min_gap_days"), "日"),
}
"""Unit by column; amounts of FHIR state their currency beside."""
_FOREIGN: Final = frozenset(("claim", "claim_line"))
LISTS: Final[Mapping[str, str]] = {
    "charge_type": "med_chrgitm_type",
    "level": "chrgitm_lv",
    "gender": "gend",
    "med_type": "med_type",
    "insutype": "insutype",
    "certificate_type": "mdtrt_cert_type",
    "discharge_way": "dscg_way",
    "approved": "hosp_appr_flag",
    "change_type": "inv_chg_type",
    "list_type": "list_type",
    "institution_profile.level": "hosp_lv",
    "staff_member.type": "prac_psn_type",
    "insurance_status.status": "psn_insu_stas",
    "diagnosis.type": "diag_type",
    "k_fund_cap.code": "insutype",
}
"""Code list by column, or by kind and column."""
_GOODS: Final[Mapping[str, str]] = {
    "count": "盘存",
    "change": "库存变更",
    "purchase": "采购",
    "purchase_return": "采购退货",
    "sale": "销售",
    "sale_return": "销售退货",
    "settlement": "结算",
}
_SENT: Final[Mapping[str, str]] = {
    "upload": "上传",
    "change": "变更",
    "withdrawal": "撤销",
    "answer": "查询应答",
}
_COMPARED: Final[Mapping[str, str]] = {
    "match": "相符",
    "mismatch": "不符",
    "absent": "本人不在",
    "spoof": "冒用",
    "unjudged": "未能判定",
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "sign": {"1": "结算", "-1": "撤销"},
    "way": {"1": "继续", "2": "返回修改"},
    "cancellation.what": {"admission": "登记或入院", "discharge": "出院", "fee_detail": "费用明细"},
    "diagnosis.what": {
        "visit": "就诊",
        "admission": "入院",
        "discharge": "出院",
        "list": "结算清单",
    },
    "operation.what": {"discharge": "出院", "list": "结算清单"},
    **dict.fromkeys(("stock_movement.what", "trace_code.what"), _GOODS),
    **dict.fromkeys(("department.what", "alignment.what"), _SENT),
    "identity_event.place": {
        "window": "窗口",
        "bed": "床旁",
        "pharmacy": "药店",
        "entrance": "入口",
    },
    **dict.fromkeys(("identity_event.result", "duty_event.result"), _COMPARED),
    "liveness": {"live": "活体", "spoof": "非活体", "not_checked": "未检测"},
    "identity_event.reason_code": {
        "proxy": "代配药",
        "child": "幼儿",
        "voucher": "医保码",
        "emergency": "急诊抢救",
        "manual": "人工放行",
    },
    "agreement_status.status": {
        "active": "有效",
        "suspended": "中止",
        "terminated": "解除",
        "unsigned": "未签订",
    },
    "staff_qualification.status": {
        "normal": "正常",
        "suspended": "暂停",
        "terminated": "终止",
    },
    "stage": {"child": "儿童", "infant": "婴幼儿", "newborn": "新生儿"},
    "insurance": {"work_injury": "工伤", "maternity": "生育"},
    "min_rank": {"3": "三级", "2": "二级", "1": "一级"},
    "setting": {"inpatient": "住院", "emergency": "急诊或抢救"},
    "scope": {"day": "单日", "visit": "单次就诊", "hours_6": "6小时", "hour": "同一小时"},
    "kind": {"bed": "床位", "nursing": "护理", "consultation": "诊察"},
    "needs_what": {"item": "项目", "operation": "手术"},
}
"""Words of codes that are the node's own, by column, or by kind and column."""
_NO_CAP: Final = "999999"
"""What platforms send as a cap where there is none."""


def name_of(kind: str, column: str) -> str:
    """Tell what a column is called.

    Args:
        kind: Id of a record kind or a knowledge table.
        column: One of its columns, with or without the end that tells its scale.

    Raises:
        KeyError: Nobody gave it a word.

    >>> name_of("fee_detail", "cap_e6"), name_of("institution_profile", "level")
    ('限价', '医院等级')
    """
    bare = _bare(column)
    return NAMES_OF_KIND.get((kind, bare)) or NAMES[bare]


def told_value(kind: str, column: str, value: str, lists: Mapping[str, CodeList]) -> str:
    """Tell a value with its unit, or with what its code means.

    Args:
        kind: Id of a record kind or a knowledge table.
        column: One of its columns, with or without the end that tells its scale.
        value: The value as ``evidence.written`` writes it.
        lists: Code lists by id.

    >>> told_value("fee_detail", "price", "17.8", {}), told_value("settlement", "sign", "-1", {})
    ('17.8 元', '-1（撤销）')
    """
    bare = _bare(column)
    if bare == "cap" and value == _NO_CAP:
        return "不限价"
    own = f"{kind}.{bare}"
    words = WORDS.get(own) or WORDS.get(bare)
    if words is None:
        found = lists.get(LISTS.get(own) or LISTS.get(bare, ""))
        words = {} if found is None else found.labels
    if value in words:
        return f"{value}（{words[value]}）"
    unit = "" if kind in _FOREIGN else UNITS.get(bare, "")
    return f"{value} {unit}" if unit else value


def _bare(column: str) -> str:
    end = next((one for one in _ENDS if column.endswith(one)), "")
    return column.removesuffix(end)
