from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from deploy.catalog_compile import app, compile_code_list, compile_field, compile_transaction
from scoring_kernel.catalog_loader import parse_catalog, read_catalog_files

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = """\
infno,name,direction,node,node_is_array,field,meaning_zh,type,length,required,coded,code_list,note,source
*,报文头,request,,,infno,交易编号,string,6,Y,,,,x
2202,门诊挂号撤销,request,data,,psn_no,人员编号,string,30,Y,,,,x
2202,门诊挂号撤销,request,data,,gend,性别,string,6,,Y,gend,,x
2202,门诊挂号撤销,request,data,,naty,民族,string,3,,Y,naty,,x
2202,门诊挂号撤销,request,data,,zhid,字符串是,,,,,,,x
2202,门诊挂号撤销,request,data.codes,Y,drug_trac_codg,药品追溯码,string,30-100,Y,,,,x
2202,门诊挂号撤销,response,detailinfo,,init_val,原值,string,30,,,,,x
2202,门诊挂号撤销,response,data,,detailinfo,明细,,,,,,,x
2202,门诊挂号撤销,response,data,Y,setl_id,结算ID,string,30,,,,,x
2202,门诊挂号撤销,response,data,Y,detailinfo,又是明细,string,30,,,,,x
2202,门诊挂号撤销,response,result,Y,medfee_sumamt,医疗费总额(含税: 全部),number,"16,2",Y,,,,x
9999,别的交易,request,data,,psn_no,人员编号,string,30,Y,,,,x
"""
TRANSACTIONS = """\
infno,name_zh,url_path (observed),source
2202,门诊挂号撤销,/fsi/api/cancel,x
2501,转院备案,,x
"""
CODES = """\
code_list,name_zh,code,label_zh,note,source
gend,性别,1,男,,x
gend,性别,2,女,,x
med_type,医疗类别,11,普通门诊,,x
med_type,医疗类别,11,重复,,x
"""


def tables(folder: Path) -> list[str]:
    arguments = []
    for name, text in (("fields", FIELDS), ("transactions", TRANSACTIONS), ("codes", CODES)):
        path = folder / f"{name}.csv"
        path.write_text("\ufeff" + text, encoding="utf-8")
        arguments += [f"--{name}", str(path)]
    return [*arguments, "--out", str(folder / "out")]


def test_the_written_files_load_as_part_of_a_catalogue(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, tables(tmp_path))
    assert result.exit_code == 0
    out = tmp_path / "out"
    written = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.yaml")}
    kept = {
        name: content
        for name, content in read_catalog_files().items()
        if not name.startswith(("interface/", "codes/"))
    }
    kept |= {"record_layouts.yaml": b"layouts: {}\n", "mapping_names.yaml": b"columns: {}\n"}
    described = {"interface/envelope.yaml", "interface/2202.yaml", "interface/transactions.yaml"}
    chosen = {name: content for name, content in written.items() if name.startswith("codes/")}
    catalog = parse_catalog(kept | chosen | {name: written[name] for name in described})
    fields = {field.name: field for field in catalog.transactions["2202"].fields["request", "data"]}
    assert list(fields) == ["psn_no", "gend", "naty"]
    assert (fields["psn_no"].personal, fields["psn_no"].length) == (True, 30)
    assert (fields["gend"].code_list, fields["naty"].code_list) == ("gend", None)
    (amount,) = catalog.transactions["2202"].fields["response", "result"]
    assert (amount.length, amount.scale) == (16, 2)
    assert amount.name_zh == "医疗费总额(含税: 全部)"
    assert catalog.transactions["2202"].arrays == {
        ("request", "data.codes"),
        ("response", "data"),
        ("response", "result"),
    }
    assert catalog.transactions["2202"].parents == {
        ("request", "data.codes"): "data",
        ("response", "detailinfo"): "data",
    }
    merged = catalog.transactions["2202"].fields["response", "data"]
    assert [(one.name, one.name_zh, one.type) for one in merged] == [
        ("detailinfo", "明细", "object"),
        ("setl_id", "结算ID", "string"),
    ]
    assert catalog.transactions["2501"].path is None
    assert catalog.code_tables["med_type"].labels == {"11": "普通门诊"}
    assert catalog.extensible_lists == {"med_type"}


def test_fields_that_a_meaning_lists_become_a_node() -> None:
    row = dict.fromkeys(("node_is_array", "length", "required", "code_list"), "")
    row |= {"infno": "3103", "direction": "request", "node": "data", "field": "warns"}
    row |= {"meaning_zh": "反馈列表: warn_rslt_id 违规标识", "type": "array"}
    text = compile_transaction("3103", [row], ())
    assert "warns: {name_zh: 反馈列表, type: object}" in text
    assert 'node: "data.warns"\n    within: data\n    array: true' in text
    assert "dspo_way_rea: {name_zh: 处理原因, type: string, length: 500, personal: true}" in text


def test_nodes_of_answers_with_several_rows_are_lists() -> None:
    row = dict.fromkeys(("node_is_array", "length", "required", "code_list"), "")
    row |= {"infno": "5101", "direction": "response", "node": "data", "field": "caty"}
    row |= {"meaning_zh": "科别", "type": "string"}
    assert "array: true" in compile_transaction("5101", [row], ())
    assert "array" not in compile_transaction("5101", [row | {"direction": "request"}], ())


def test_a_missing_table_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*tables(tmp_path), "--fields", str(tmp_path / "no.csv")])
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("changed", "expect"),
    [
        ({"type": "datetime", "length": "39"}, "f: {name_zh: 字段, type: datetime}"),
        ({"type": "date", "length": "8"}, "f: {name_zh: 字段, type: date}"),
        (
            {"field": "oinfno", "node": "data", "length": "4"},
            "oinfno: {name_zh: 字段, type: string, length: 6}",
        ),
        ({"length": "30-100"}, "f: {name_zh: 字段, type: string, length: 100}"),
        ({"type": "number", "length": "3"}, "f: {name_zh: 字段, type: number, length: 3}"),
        ({"type": ""}, "f: {name_zh: 字段, type: string}"),
        ({"field": "expContent", "type": ""}, "expContent: {name_zh: 字段, type: object}"),
        ({"field": "card_sn"}, "card_sn: {name_zh: 卡识别码, type: string, personal: true}"),
        ({"required": "Y"}, "f: {name_zh: 字段, type: string, required: true}"),
        (
            {"field": "psn_no", "node": "diseinfo", "required": "Y"},
            "psn_no: {name_zh: 字段, type: string, personal: true}",
        ),
    ],
)
def test_a_row_of_the_field_table_becomes_one_line(changed: dict[str, str], expect: str) -> None:
    row = dict.fromkeys(("node", "length", "required", "code_list"), "")
    row |= {"field": "f", "meaning_zh": "字段", "type": "string"} | changed
    assert compile_field(row, ()) == expect


def test_labels_that_yaml_would_read_otherwise_are_quoted() -> None:
    rows = [
        {"name_zh": "标志", "code": "1", "label_zh": "no"},
        {"name_zh": "标志", "code": "2", "label_zh": "120急救"},
    ]
    text = compile_code_list("flag", rows)
    assert '"1": "no"' in text
    assert '"2": "120急救"' in text
