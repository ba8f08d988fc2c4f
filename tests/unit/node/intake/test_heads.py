"""All keys of a head are checked from the catalogue; missing ones only where needed."""

import copy
from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

NEEDED = {"infno", "msgid", "fixmedins_code", "inf_time", "input"}


@pytest.mark.parametrize(
    ("part", "key", "value", "rule"),
    [
        ("request", "mdtrtarea_admvs", "3303020", Rule.FIELD_TOO_LONG),
        ("request", "insuplc_admdvs", ["330302"], Rule.FIELD_TYPE),
        ("request", "recer_sys_code", "x" * 11, Rule.FIELD_TOO_LONG),
        ("request", "dev_no", "x" * 101, Rule.FIELD_TOO_LONG),
        ("request", "dev_safe_info", {"ip": "10.0.0.1"}, Rule.FIELD_TYPE),
        ("request", "cainfo", "x" * 1025, Rule.FIELD_TOO_LONG),
        ("request", "signtype", True, Rule.FIELD_TYPE),
        ("request", "infver", "V1.0.0.0", Rule.FIELD_TOO_LONG),
        ("request", "opter_type", "9", Rule.CODE_UNKNOWN),
        ("request", "opter", "x" * 31, Rule.FIELD_TOO_LONG),
        ("request", "opter_name", 1.5, Rule.FIELD_TYPE),
        ("request", "fixmedins_name", "x" * 201, Rule.FIELD_TOO_LONG),
        ("request", "sign_no", "x" * 31, Rule.FIELD_TOO_LONG),
        ("response", "infcode", "fine", Rule.FIELD_TYPE),
        ("response", "infcode", 12345, Rule.NUMBER_RANGE),
        ("response", "inf_refmsgid", "1" * 31, Rule.FIELD_TOO_LONG),
        ("response", "refmsg_time", "1" * 18, Rule.FIELD_TOO_LONG),
        ("response", "respond_time", [], Rule.FIELD_TYPE),
        ("response", "err_msg", {}, Rule.FIELD_TYPE),
    ],
)
def test_a_key_of_the_head_is_checked(  # noqa: PLR0917 - a table of cases
    store: NodeStore, tmp_path: Path, part: str, key: str, value: object, rule: Rule
) -> None:
    document = m.settlement(2)
    document[part][key] = value

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.settlement(1), document])

    (row,) = store.quarantine_rows()
    assert (row.rule, row.field, row.line) == (rule, f"{part}.{key}", 2)
    assert report.records_stored == {"settlement": 1}


def test_the_operator_is_masked(store: NodeStore, tmp_path: Path) -> None:
    document = m.settlement(1)
    document["request"]["opter_name"] = "张三" * 30

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert "张" not in repr(store.quarantine_rows())


def test_keys_that_nothing_needs_may_be_missing_and_platforms_may_tell_more(
    store: NodeStore, tmp_path: Path
) -> None:
    (keys,) = (
        fields
        for (direction, _), fields in load_catalog().envelope.fields.items()
        if direction == "request"
    )
    assert len(keys) == 18
    short = m.settlement(1)
    for field in keys:
        if field.name not in NEEDED:
            short["request"].pop(field.name, None)
    told = copy.deepcopy(m.settlement(2, infcode="-1"))
    told["response"]["err_msg"] = "java.lang.Exception " * 100

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [short, told])

    assert (report.quarantined, report.not_accepted) == (0, 1)


@pytest.mark.parametrize("depth", [200, 260, 900, 1100, 100_000])
def test_deeply_nested_json_is_taken_or_refused(
    store: NodeStore, tmp_path: Path, depth: int
) -> None:
    document = m.settlement(2)
    document["request"]["exp_content"] = "@"
    line = m.write_lines(tmp_path / "b.jsonl", [document]).read_bytes()
    path = m.write_lines(tmp_path / "a.jsonl", [m.settlement(1)])
    bomb = line.replace(b'"@"', b"[" * depth + b"]" * depth)
    path.write_bytes(path.read_bytes() + bomb)
    (tmp_path / "c.json").write_bytes(b"[" + bomb + b"]")

    report = m.ingest(store, path)
    again = m.ingest(store, tmp_path / "c.json")

    assert report.quarantined == again.quarantined == (0 if depth == 200 else 1)
    assert store.counts().messages == 2 - report.quarantined
