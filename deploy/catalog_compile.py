"""Compile field tables of the national interface into ``catalog/interface`` and ``catalog/codes``.

Run by whoever maintains the catalogue, when better tables are at hand:
``python -m deploy.catalog_compile --fields F.csv --transactions T.csv --codes C.csv --out DIR``.

Rules:
- The tables are read, the files of ``--out`` are written anew; nothing else is touched.
- Lengths of days and moments in the tables are column widths of a document: dropped.
- Every transaction with rows in the field table gets a file; the others are only listed.
- A node that stands twice, as an object and as a list, is one list with the fields of both.
- Which fields are personal is decided here, by name, and stands in the written files.
"""

import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

EXTENSIBLE: Final = frozenset(("med_type", "psn_type", "psn_cert_type", "fund_pay_type"))
"""Code lists that provinces extend, or whose national text was not seen in full."""

PERSONAL: Final = frozenset(
    (
        # The insured person, relatives and who acts for them.
        *("psn_no", "psn_name", "name", "certno", "cert_no", "mdtrt_cert_no", "card_sn", "hi_no"),
        *("brdy", "fpsc_no", "patn_id", "patn_name", "patient_id", "patient_name"),
        *("tel", "psn_tel", "addr", "curr_addr", "curr_addr_poscode", "poscode", "birplc", "napl"),
        *("resd_addr", "resd_addr_prov", "resd_addr_city", "resd_addr_coty", "resd_addr_subd"),
        *("resd_addr_vil", "resd_addr_housnum", "resd_addr_poscode"),
        *("coner_name", "coner_addr", "coner_tel", "illhis_stte_name"),
        *("agnter_name", "agnter_certno", "agnter_tel", "agnter_addr"),
        *("emp_name", "emp_addr", "emp_tel", "emp_poscode"),
        *("empr_addr", "empr_tel", "empr_poscode"),
        *("ipt_no", "ipt_otp_no", "medrcdno", "medcasno", "mdtrtsn"),
        # Staff of institutions and of offices.
        *("opter", "opter_id", "opter_no", "opter_name", "crter_id", "crter_name"),
        *("hsorg_opter", "hsorg_opter_code", "hsorg_opter_name", "medins_fill_psn"),
        *("inv_chg_opter_name", "purc_retn_opter_name", "sel_retn_opter_name"),
        *("prac_psn_no", "prac_psn_code", "prac_psn_name", "prac_psn_cert", "prac_cert_no"),
        *("prsc_dr_certno", "prsc_dr_name", "phar_certno", "phar_name", "phar_prac_cert_no"),
        *("dept_resper_name", "dept_resper_tel", "deptdrt_name", "codr_name"),
        *("dr_name", "dr_codg", "atddr_no", "atddr_name", "bilg_dr_codg", "bilg_dr_name"),
        *("orders_dr_code", "orders_dr_name", "drord_dr_codg", "drord_dr_name"),
        *("drord_chker_name", "drord_ptr_name", "diag_dr_codg", "diag_dr_name"),
        *("chfpdr_name", "chfpdr_code", "chfdr_name", "chfdr_code", "ipdr_name", "ipdr_code"),
        *("ipt_dr_name", "train_dr_name", "intn_dr_name", "pote_intn_dr_name", "prnt_doc_name"),
        *("qltctrl_dr_name", "qltctrl_nurs_name", "resp_nurs_name", "resp_nurs_code", "nurs_name"),
        *("dise_dor_name", "dise_dor_no", "rec_doc", "rec_doc_code", "rec_doc_name", "doc_code"),
        *("appy_doc_name", "rpot_doc", "resc_psn_list"),
        *("oper_name", "oper_dr_name", "oper_dr_code", "oprn_oper_name", "asit_1_name"),
        *("asit_name2", "oprn_asit_name1", "oprn_asit_name2", "anst_dr_name", "anst_dr_code"),
        # Free text, in which people write names, numbers and histories.
        *("memo", "main_cond_dscr", "dspo_way_rea", "chfcomp", "illhis", "mdtrt_rea", "dspo_opnn"),
        *("dise_now", "dise_his", "hlcon", "psn_his", "mrg_his", "mena_his", "fmhis", "ifet_his"),
        *("oprn_his", "bld_his", "algs_his", "algs", "cas_ftur", "adm_info", "dscg_info"),
        *("trt_proc_dscr", "trt_proc_rslt_dscr", "adm_diag_dscr", "dscg_dise_dscr", "exam_fnd"),
        *("dscg_drord", "spcy_info", "asst_exam_rslt", "chg_rea", "trt_dcla_memo", "refl_rea"),
    )
)
"""Fields that identify or describe a person, a relative or a member of staff."""

UNUSABLE: Final = frozenset(
    (
        ("data", "zhid"),
        # The class of a diagnosis inherits from the class of an encounter: no fields of its own.
        ("fsi_diagnose_dtos", "fsi_diagnose_dtos"),
        ("fsi_diagnose_dtos", "fsi_order_dtos"),
        ("fsi_diagnose_dtos", "ownpay_amt"),
        ("fsi_diagnose_dtos", "selfpay_amt"),
    )
)
"""(node, field) whose row in the tables is garbled; unknown keys are accepted anyway."""
SEEN_ABSENT: Final = frozenset(
    (("diseinfo", "psn_no"), ("diseinfo", "maindiag_flag"), ("diseinfo", "vali_flag"))
)
"""(node, field) that the tables call required, though accepted messages lack them."""
WITHIN: Final[Mapping[str, str]] = {
    "patient_dtos": "data",
    "fsi_encounter_dtos": "patient_dtos",
    "fsi_diagnose_dtos": "fsi_encounter_dtos",
    "fsi_order_dtos": "fsi_encounter_dtos",
    "fsi_operation_dtos": "fsi_encounter_dtos",
    "judge_result_detail_dtos": "result",
    "detailinfo": "data",
}
"""Node → node that holds it, where the table names nodes without their parents.

A dotted node is held by what stands before its dot."""
LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "3101": ("fsi_operation_dtos",),
    "4103": (
        *("payinfo", "opspdiseinfo", "diseinfo", "iteminfo", "oprninfo", "icuinfo", "bldinfo"),
    ),
    "4104": ("data",),
    "4201": ("data",),
    "4301": ("diseInfo", "rxInfo"),
    "4302": ("oprninfo", "rescinfo"),
    "5101": ("data",),
    "5201": ("data",),
    "5202": ("data",),
    "5203": ("setldetail",),
    "5204": ("data",),
    "5205": ("data",),
    "5206": ("data",),
    "5301": ("feedetail",),
    "5302": ("data",),
    "5303": ("data",),
    "5304": ("data",),
}
"""Nodes that the table calls one object, though an answer or an upload has several.

A list node takes one object too; of queries only the answer is meant."""
SPELT_OUT: Final[Mapping[tuple[str, str, str], tuple[tuple[str, str, str, str], ...]]] = {
    ("3103", "data", "warns"): (
        ("warn_rslt_id", "违规标识", "string", "50"),
        ("dspo_way", "处理方式", "string", "3"),
        ("dspo_way_rea", "处理原因", "string", "500"),
    ),
}
"""(infno, node, field) whose meaning lists fields of its own → (name, meaning, type, length)."""
LENGTHS: Final[Mapping[tuple[str, str], str]] = {
    ("baseinfo", "fixmedins_code"): "12",
    ("data", "oinfno"): "6",
    ("fsi_encounter_dtos", "med_type"): "6",
    ("fsi_order_dtos", "hilist_code"): "50",
}
"""(node, field) whose length the table gives too short for the national codes it holds."""
MEANINGS: Final[Mapping[str, str]] = {"card_sn": "卡识别码"}
"""Meanings that the tables give wrongly."""
AMENDED: Final[Mapping[str, Mapping[str, str]]] = {
    "hilist_pric_uplmt_amt": {
        "meaning_zh": "医保目录定价上限金额",
        "type": "number",
        "length": "16,6",
        "required": "Y",
    },
}
"""Fields whose whole row stands in the meaning; decimals as of the caps of lines (2301)."""

_HEADER: Final = (
    "# 由 deploy/catalog_compile.py 从公开代码整理的接口字段表生成；未与官方文本核对。\n"
)
_PLAIN: Final = re.compile(r"[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff（）()/+-]*")
_OBJECTS: Final = frozenset(
    (
        *("input", "output", "expContent", "exp_content", "exct_cont", "item_cont"),
        *("patient_dtos", "fsi_encounter_dtos", "fsi_diagnose_dtos", "fsi_order_dtos"),
        *("fsi_operation_dtos", "fsi_his_data_dto", "rule_ids", "detailinfo"),
    )
)
"""Fields without a type in the table that hold objects or lists."""
_RESERVED: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))

Row = Mapping[str, str]

app = typer.Typer(add_completion=False)


def _text(value: str) -> str:
    """Write a text as YAML: plain where that is safe, else double-quoted."""
    if _PLAIN.fullmatch(value) and value.casefold() not in _RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def compile_field(row: Row, known_lists: Iterable[str]) -> str:
    """Compile one row of the field table into one line of YAML.

    Args:
        row: Row of the field table.
        known_lists: Code lists that will be written; others are not referred to.

    Returns:
        ``name: {...}``.
    """
    name = row["field"]
    row = {**row, **AMENDED.get(name, {})}
    parts = [f"name_zh: {_text(MEANINGS.get(name, row['meaning_zh']))}"]
    kind = {"": "string", "array": "object"}.get(row["type"], row["type"])
    kind = "object" if name in _OBJECTS else kind
    parts.append(f"type: {kind}")
    digits = re.findall(r"[0-9]+", LENGTHS.get((row["node"], name), row["length"]))
    if digits and kind == "string":
        parts.append(f"length: {max(map(int, digits))}")
    if digits and kind == "number":
        parts.append(f"length: {digits[0]}")
        if len(digits) > 1:
            parts.append(f"scale: {digits[1]}")
    if row["required"] == "Y" and (row["node"], name) not in SEEN_ABSENT:
        parts.append("required: true")
    if name in PERSONAL:
        parts.append("personal: true")
    if row["code_list"] in set(known_lists):
        parts.append(f"code_list: {row['code_list']}")
    return f"{name}: {{{', '.join(parts)}}}"


def compile_transaction(infno: str, rows: Iterable[Row], known_lists: Iterable[str]) -> str:
    """Compile the rows of one transaction into the text of its file.

    Args:
        infno: Transaction number, ``*`` for the envelope.
        rows: Its rows, in the order of the table.
        known_lists: Code lists that will be written.

    Returns:
        YAML text.
    """
    nodes: dict[tuple[str, str], dict[str, str]] = {}
    arrays: set[tuple[str, str]] = set()
    for row in _spelt_out(rows):
        if (row["node"], row["field"]) not in UNUSABLE:
            key = (row["direction"], row["node"])
            nodes.setdefault(key, {}).setdefault(row["field"], compile_field(row, known_lists))
            is_list = row["node_is_array"] == "Y" or _is_list(infno, *key)
            arrays.update({key} if is_list else ())
    lines = [f'infno: "{infno}"', "nodes:"]
    # A parent stands above what it holds.
    for direction, node in sorted(nodes, key=lambda key: _depth(key, nodes)):
        lines.append(f"  - direction: {direction}")
        lines.append(f"    node: {_text(node) if node else 'null'}")
        parent = _parent(direction, node, nodes)
        lines.extend([f"    within: {_text(parent)}"] if parent else [])
        lines.extend(["    array: true"] if (direction, node) in arrays else [])
        lines.append("    fields:")
        lines.extend(f"      {field}" for field in nodes[direction, node].values())
    return _HEADER + "\n".join(lines) + "\n"


def _spelt_out(rows: Iterable[Row]) -> Iterable[Row]:
    """Add rows for the fields that the meaning of another field lists."""
    for row in rows:
        inner = SPELT_OUT.get((row["infno"], row["node"], row["field"]))
        yield {**row, "meaning_zh": row["meaning_zh"].partition(":")[0]} if inner else row
        for name, meaning, kind, length in inner or ():
            given = {"field": name, "meaning_zh": meaning, "type": kind, "length": length}
            node = {"node": f"{row['node']}.{row['field']}", "node_is_array": "Y"}
            yield {**row, **given, **node, "required": "", "code_list": ""}


def _is_list(infno: str, direction: str, node: str) -> bool:
    queried = infno.startswith("5") or infno in ("4103", "4104")
    return node in LISTS.get(infno, ()) and (direction == "response" or not queried)


def _parent(direction: str, node: str, nodes: Collection[tuple[str, str]]) -> str | None:
    parent = WITHIN.get(node, node.rpartition(".")[0])
    return parent if (direction, parent) in nodes and parent else None


def _depth(key: tuple[str, str], nodes: Collection[tuple[str, str]]) -> int:
    parent = _parent(*key, nodes)
    return 0 if parent is None else 1 + _depth((key[0], parent), nodes)


def compile_listing(rows: Iterable[Row]) -> str:
    """Compile the table of transactions into ``transactions.yaml``.

    Args:
        rows: Rows of the table.

    Returns:
        YAML text.
    """
    lines = ["transactions:"]
    for row in rows:
        path = next((value for key, value in row.items() if key.startswith("url_path")), "")
        parts = [f"name_zh: {_text(row['name_zh'])}", *([f"path: {path}"] if path else [])]
        lines.append(f'  "{row["infno"]}": {{{", ".join(parts)}}}')
    return _HEADER + "\n".join(lines) + "\n"


def compile_code_list(name: str, rows: Iterable[Row]) -> str:
    """Compile the rows of one code list into the text of its file.

    Args:
        name: Id of the list.
        rows: Its rows; a code that stands twice keeps its first label.

    Returns:
        YAML text.
    """
    labels: dict[str, str] = {}
    title = name
    for row in rows:
        title = row["name_zh"]
        labels.setdefault(row["code"], row["label_zh"])
    lines = [f"id: {name}", f"name_zh: {_text(title)}"]
    lines.append(f"extensible: {'true' if name in EXTENSIBLE else 'false'}")
    lines.append("codes:")
    lines.extend(f'  "{code}": {_text(label)}' for code, label in labels.items())
    return _HEADER + "\n".join(lines) + "\n"


@app.command()
def compile_catalog(
    fields: Annotated[Path, typer.Option(help="Field table, CSV.", exists=True)],
    transactions: Annotated[Path, typer.Option(help="Transaction table, CSV.", exists=True)],
    codes: Annotated[Path, typer.Option(help="Code table, CSV.", exists=True)],
    out: Annotated[Path, typer.Option(help="Catalogue folder to write into.", file_okay=False)],
) -> None:
    """Write interface/ and codes/ of the catalogue from the three tables."""
    lists: dict[str, list[Row]] = {}
    for row in _read(codes):
        lists.setdefault(row["code_list"], []).append(row)
    described: dict[str, list[Row]] = {}
    for row in _read(fields):
        described.setdefault(row["infno"], []).append(row)
    texts = {f"codes/{name}.yaml": compile_code_list(name, rows) for name, rows in lists.items()}
    for infno, rows in described.items():
        name = "envelope" if infno == "*" else infno
        texts[f"interface/{name}.yaml"] = compile_transaction(infno, rows, lists)
    texts["interface/transactions.yaml"] = compile_listing(_read(transactions))
    for name, text in texts.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    typer.echo(f"{len(texts)} files written to {out}: run 'yixin model check' next")


if __name__ == "__main__":
    app()
