"""Compile field tables of the national interface into ``catalog/interface`` and ``catalog/codes``.

Run by whoever maintains the catalogue, when better tables are at hand:
``python -m deploy.catalog_compile --fields F.csv --transactions T.csv --codes C.csv --out DIR``.

Rules:
- The tables are read, the files of ``--out`` are written anew; nothing else is touched.
- Lengths of days and moments in the tables are column widths of a document: dropped.
- Which fields are personal is decided here, by name, and stands in the written files.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

DESCRIBED: Final = (
    *("2102", "2103", "2201", "2202", "2203", "2203A", "2204", "2205", "2206", "2207", "2208"),
    *("2301", "2302", "2303", "2304", "2305", "2401", "2402", "2403", "2404", "2405", "2601"),
    "4101",
)
"""Transactions whose fields are written; the others are only listed."""

EXTENSIBLE: Final = frozenset(("med_type", "psn_type", "psn_cert_type", "fund_pay_type"))
"""Code lists that provinces extend, or whose national text was not seen in full."""

PERSONAL: Final = frozenset(
    (
        *("psn_no", "psn_name", "certno", "mdtrt_cert_no", "card_sn", "hi_no", "brdy", "fpsc_no"),
        *("tel", "coner_name", "coner_addr", "coner_tel", "curr_addr", "poscode"),
        *("emp_name", "emp_addr", "emp_tel"),
        *("ipt_no", "ipt_otp_no", "medrcdno", "medcasno"),
        *("opter", "opter_name", "hsorg_opter", "medins_fill_psn"),
        *("dr_name", "atddr_no", "bilg_dr_codg", "bilg_dr_name", "orders_dr_code"),
        *("orders_dr_name", "chfpdr_name", "chfpdr_code", "dise_dor_name", "dise_dor_no"),
        *("oper_dr_name", "oper_dr_code", "anst_dr_name", "anst_dr_code"),
    )
)
"""Fields that identify an insured person, a relative or a member of staff."""

UNUSABLE: Final = frozenset(("zhid",))
"""Fields whose row in the tables is garbled; unknown keys are accepted anyway."""
SEEN_ABSENT: Final = frozenset(
    (("diseinfo", "psn_no"), ("diseinfo", "maindiag_flag"), ("diseinfo", "vali_flag"))
)
"""(node, field) that the tables call required, though accepted messages lack them."""
MEANINGS: Final[Mapping[str, str]] = {"card_sn": "卡识别码"}
"""Meanings that the tables give wrongly."""

_HEADER: Final = (
    "# 由 deploy/catalog_compile.py 从公开代码整理的接口字段表生成；未与官方文本核对。\n"
)
_PLAIN: Final = re.compile(r"[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff（）()/+-]*")
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
    parts = [f"name_zh: {_text(MEANINGS.get(name, row['meaning_zh']))}"]
    kind = "object" if name in ("input", "output", "expContent") else row["type"] or "string"
    parts.append(f"type: {kind}")
    digits = re.findall(r"[0-9]+", row["length"])
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
    nodes: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["field"] not in UNUSABLE:
            key = (row["direction"], row["node"], row["node_is_array"])
            nodes.setdefault(key, []).append(compile_field(row, known_lists))
    lines = [f'infno: "{infno}"', "nodes:"]
    for (direction, node, array), fields in nodes.items():
        lines.append(f"  - direction: {direction}")
        lines.append(f"    node: {_text(node) if node else 'null'}")
        lines.extend(["    array: true"] if array == "Y" else [])
        lines.append("    fields:")
        lines.extend(f"      {field}" for field in fields)
    return _HEADER + "\n".join(lines) + "\n"


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
    described: dict[str, list[Row]] = {infno: [] for infno in ("*", *DESCRIBED)}
    for row in _read(fields):
        if row["infno"] in described:
            described[row["infno"]].append(row)
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
