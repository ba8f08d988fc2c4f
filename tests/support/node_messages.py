"""Valid messages of the national interface to start from, and a store to take them in."""

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from node.domain.institutions import Institution
from node.intake import IngestReport, ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

NOW: Final = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
HOSPITAL: Final = "H33030200001"
PHARMACY: Final = "P33030200017"
PERSON: Final = "33030000000000000000100001"
CARD: Final = "990001195803121016"
VAULT_KEY: Final = bytes(range(32))
SHARED: Final = Path(__file__).resolve().parents[2].parent / "shared"

_WITHDRAWN_BY: Final = {"2205": "chrg_bchno", "2302": "feedetl_sn"}

Document = dict[str, Any]


def open_store(directory: Path, *, writer: bool = True) -> NodeStore:
    """Open a store with one hospital and one pharmacy under custody."""
    store = NodeStore(directory, Vault(VAULT_KEY), writer=writer)
    if writer:
        store.set_institutions([Institution(code=HOSPITAL), Institution(code=PHARMACY)])
    return store


def ingest(
    store: NodeStore, path: Path, *, expected_months: frozenset[int] | None = None
) -> IngestReport:
    """Ingest a file of messages."""
    return ingest_file(store, load_catalog(), path, now=NOW, expected_months=expected_months)


def ingest_documents(store: NodeStore, path: Path, documents: Iterable[Document]) -> IngestReport:
    """Write documents as JSON lines and ingest them."""
    return ingest(store, write_lines(path, documents))


def write_lines(path: Path, documents: Iterable[Document]) -> Path:
    """Write documents as JSON lines."""
    lines = [json.dumps(document, ensure_ascii=False) for document in documents]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def envelope(
    infno: str, number: int, body: Mapping[str, Any], *, institution: str = HOSPITAL
) -> Document:
    """Wrap an input into a message head; ``number`` makes the msgid."""
    return {
        "infno": infno,
        "msgid": f"{institution}20260318095039{number:04d}",
        "mdtrtarea_admvs": "330302",
        "recer_sys_code": "EDGE",
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "1001",
        "opter_name": "收费员甲",
        "inf_time": "2026-03-18 09:50:39",
        "fixmedins_code": institution,
        "fixmedins_name": "温州示例医院",
        "input": copy.deepcopy(dict(body)),
    }


def answered(request: Document, output: Mapping[str, Any], infcode: object = 0) -> Document:
    """Pair a request with the platform's response."""
    return {
        "infno": request["infno"],
        "request": request,
        "response": {
            "infcode": infcode,
            "inf_refmsgid": "330302202603180950390000000001",
            "err_msg": "",
            "output": copy.deepcopy(dict(output)),
        },
    }


def fee_line(line: int, **changes: object) -> Document:
    """One detail line of 2204 or 2301."""
    return {
        "feedetl_sn": f"F{line:04d}",
        "mdtrt_id": "330302G0000000100001",
        "psn_no": PERSON,
        "fee_ocur_time": "2026-03-18 09:30:00",
        "med_list_codg": "XC08CAA001A001010100001",
        "medins_list_codg": "YP001",
        "det_item_fee_sumamt": 35.6,
        "cnt": 2,
        "pric": 17.8,
        "bilg_dept_codg": "A03",
        "bilg_dr_codg": "D330302000101",
        **changes,
    }


def fee_answer(line: int, **changes: object) -> Document:
    """The platform's part of one detail line."""
    return {
        "feedetl_sn": f"F{line:04d}",
        "det_item_fee_sumamt": 35.6,
        "cnt": 2,
        "pric": 17.8,
        "inscp_scp_amt": 35.6,
        "chrgitm_lv": "01",
        **changes,
    }


def fees(number: int, lines: int = 2, *, infno: str = "2204", **changes: object) -> Document:
    """A message of fee details; changes go into its first line."""
    details = [fee_line(1, **changes)] + [fee_line(line) for line in range(2, lines + 1)]
    answers = [fee_answer(line) for line in range(1, lines + 1)]
    return answered(envelope(infno, number, {"feedetail": details}), {"result": answers})


def settlement(
    number: int,
    *,
    infno: str = "2207",
    request: Mapping[str, Any] | None = None,
    response: Mapping[str, Any] | None = None,
    infcode: object = 0,
) -> Document:
    """A settlement of 95.60 yuan: fund 66.92, account 28.68."""
    data = {
        "psn_no": PERSON,
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": CARD,
        "med_type": "11",
        "medfee_sumamt": 95.6,
        "psn_setlway": "01",
        "mdtrt_id": "330302G0000000100001",
        "insutype": "310",
        "acct_used_flag": "1",
        **(request or {}),
    }
    setlinfo = {
        "mdtrt_id": data["mdtrt_id"],
        "setl_id": f"330302G{number:013d}",
        "psn_no": data["psn_no"],
        "psn_cert_type": "01",
        "certno": CARD,
        "insutype": "310",
        "setl_time": "2026-03-18 09:50:39",
        "med_type": "11" if infno == "2207" else "21",
        "medfee_sumamt": 95.6,
        "inscp_scp_amt": 95.6,
        "fund_pay_sumamt": 66.92,
        "psn_part_amt": 28.68,
        "acct_pay": 28.68,
        "psn_cash_pay": 0,
        "hosp_part_amt": 0,
        **(response or {}),
    }
    message = envelope(infno, number, {"data": data})
    return answered(message, {"setlinfo": setlinfo}, infcode)


def reversal(
    number: int, setl_id: str, output: Mapping[str, Any] | None = None, *, infno: str = "2208"
) -> Document:
    """A reversal of a settlement."""
    data = {"setl_id": setl_id, "mdtrt_id": "330302G0000000100001", "psn_no": PERSON}
    return answered(envelope(infno, number, {"data": data}), output or {})


def message_reversal(number: int, omsgid: str, oinfno: str = "2207") -> Document:
    """A reversal of a message (2601)."""
    data = {"psn_no": PERSON, "omsgid": omsgid, "oinfno": oinfno}
    return answered(envelope("2601", number, {"data": data}), {})


def cancellation(number: int, infno: str, **changes: object) -> Document:
    """A cancelled registration (2202), admission (2404) or discharge (2405)."""
    visit = "330302G0000000100001" if infno == "2202" else "330302G0000000100002"
    data = {"mdtrt_id": visit, "psn_no": PERSON, **changes}
    return answered(envelope(infno, number, {"data": data}), {})


def withdrawal(
    number: int, *named: str, visit: str = "330302G0000000100001", infno: str = "2302"
) -> Document:
    """Fee details taken back: lines of 2302 or one charge batch of 2205; nothing named is all."""
    names = named or ("0000",)
    rows: list[Document] = [
        {"mdtrt_id": visit, "psn_no": PERSON, _WITHDRAWN_BY[infno]: name} for name in names
    ]
    return answered(envelope(infno, number, {"data": rows if infno == "2302" else rows[0]}), {})


def registration(number: int, **changes: object) -> Document:
    """An outpatient registration (2201)."""
    data = {
        "psn_no": PERSON,
        "insutype": "310",
        "begntime": "2026-03-18 09:10:00",
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": CARD,
        "atddr_no": "D330302000101",
        **changes,
    }
    output = {"data": {"mdtrt_id": "330302G0000000100001", "psn_no": data["psn_no"]}}
    return answered(envelope("2201", number, {"data": data}), output)


def admission(number: int, **changes: object) -> Document:
    """An inpatient admission (2401)."""
    info = {
        "psn_no": PERSON,
        "insutype": "310",
        "begntime": "2026-03-20 10:00:00",
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": CARD,
        "med_type": "21",
        "atddr_no": "D330302000101",
        "dscg_maindiag_code": "I63.900",
        **changes,
    }
    output = {"result": {"mdtrt_id": "330302G0000000100002"}}
    return answered(envelope("2401", number, {"mdtrtinfo": info}), output)


def discharge(number: int, **changes: object) -> Document:
    """A discharge (2402)."""
    info = {
        "mdtrt_id": "330302G0000000100002",
        "psn_no": PERSON,
        "insutype": "310",
        "endtime": "2026-03-28 09:00:00",
        "dscg_way": "1",
        **changes,
    }
    diagnoses = [
        {"diag_type": "2", "maindiag_flag": "0", "diag_srt_no": 2, "diag_code": "I10.x00x002"},
        {"diag_type": "1", "maindiag_flag": "1", "diag_srt_no": 1, "diag_code": "I63.900"},
    ]
    body = {"dscginfo": info, "diseinfo": diagnoses}
    return answered(envelope("2402", number, body), {})


def settlement_list(number: int, **changes: object) -> Document:
    """A settlement list (4101)."""
    info = {
        "mdtrt_id": "330302G0000000100002",
        "setl_id": "330302G0000000200002",
        "fixmedins_code": HOSPITAL,
        "hi_no": PERSON,
        "adm_time": "2026-03-20 10:00:00",
        "dscg_time": "2026-03-28 09:00:00",
        "setl_end_date": "2026-03-28",
        "days_rinp_flag_31": "1",
        **changes,
    }
    return answered(envelope("4101", number, {"setlinfo": info}), {"data": {"setl_list_id": "1"}})


def pharmacy_sale(number: int) -> Document:
    """A pharmacy settlement (2102) with one line."""
    druginfo = {
        "psn_no": PERSON,
        "mdtrt_cert_type": "01",
        "mdtrt_cert_no": "ECTOKEN-DEMO",
        "begntime": "2026-03-19 18:20:00",
        "medfee_sumamt": 46.0,
        "insutype": "310",
        "med_type": "41",
    }
    line = fee_line(1, det_item_fee_sumamt=46.0, pric=23.0)
    del line["mdtrt_id"], line["psn_no"]
    setlinfo = {
        "setl_id": f"330302G{number:013d}",
        "mdtrt_id": "330302G0000000100009",
        "psn_no": PERSON,
        "setl_time": "2026-03-19 18:20:05",
        "medfee_sumamt": 46.0,
        "inscp_scp_amt": 40.0,
        "fund_pay_sumamt": 0,
        "acct_pay": 46.0,
    }
    message = envelope(
        "2102", number, {"druginfo": druginfo, "drugdetail": [line]}, institution=PHARMACY
    )
    answer = fee_answer(1, det_item_fee_sumamt=46.0, pric=23.0, inscp_scp_amt=40.0)
    return answered(message, {"setlinfo": setlinfo, "detlcutinfo": [answer]})


def rows_of(store: NodeStore, kind: str) -> list[dict[str, Any]]:
    """Read all records of a kind, by record id."""
    engine = store.relations([kind])
    try:
        cursor = engine.execute(f"select * from {kind} order by record_id")  # noqa: S608 - a kind of the catalogue
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        engine.close()
