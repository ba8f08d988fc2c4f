"""A mapping proposed from a file is one that takes the file in; a check says what fits."""

from pathlib import Path

import pytest

from node.errors import IntakeFileError, MappingError
from node.intake import ingest_file, load_mapping
from node.intake.mapping_help import check_mapping, suggest_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m
from tests.support.node_csv import HEADER, MAPPING

HEAD = (
    "机构编码;结算单号;就诊号;患者编号;险种;医疗类别;住院标志;结算日期;"
    "总金额;政策内费用;统筹支付;账户支付;现金支付\n"
)
CLAIMS = m.SHARED / "data" / "fraud_claims"


def lines(count: int) -> str:
    rows = (
        f"{m.HOSPITAL};S{n};V{n};33{n:024d};310;11;{'是' if n % 9 else '否'};2026/3/{n % 28 + 1};"
        f"{n + 2}.50;{n + 2}.50;{n}.00;NA;2.50"
        for n in range(count)
    )
    return HEAD + "\n".join(rows).replace("NA;2.50", "0;2.50", count - 1) + "\n"


def test_a_proposed_mapping_takes_its_file_in(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "结算 2026.csv"
    path.write_bytes(lines(30).replace(";NA;", ";0;").encode("gb18030"))
    found = suggest_mapping(path, load_catalog())

    assert found.problem == ""
    (tmp_path / "m.yaml").write_text(found.text, encoding="utf-8")
    mapping = load_mapping(tmp_path / "m.yaml")
    report = ingest_file(store, load_catalog(), path, mapping=mapping, now=m.NOW)
    assert (report.records_stored, report.quarantined) == ({"settlement": 30}, 0)


def test_words_for_nothing_are_proposed_as_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(lines(30), encoding="utf-8")
    found = suggest_mapping(path, load_catalog(), delimiter=";")

    assert 'nulls: ["NA"]' in found.text
    (guess,) = [one for one in found.guesses if one.target.name == "account_fen"]
    assert (guess.column, guess.is_sure) == ("账户支付", False)
    assert "some cells are empty" in guess.note


@pytest.mark.skipif(not CLAIMS.is_dir(), reason="no folder 'shared' beside the repository")
def test_what_is_known_of_a_foreign_set_is_proposed() -> None:
    path = CLAIMS / "Train_Inpatientdata-1542865627584.csv.zip"
    found = suggest_mapping(path, load_catalog())

    assert found.targets == ("admission",)
    assert 'record_id: "ClaimID"' in found.text
    assert 'person: {column: "BeneID"}' in found.text
    assert 'nulls: ["NA"]' in found.text
    assert "column 'inpatient' is missing" in found.problem


def test_a_file_without_rows_or_that_is_fhir_has_no_proposal(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER, encoding="utf-8")
    with pytest.raises(IntakeFileError, match="has no row"):
        suggest_mapping(tmp_path / "a.csv", load_catalog())
    with pytest.raises(IntakeFileError, match=r"none\.csv"):
        suggest_mapping(tmp_path / "none.csv", load_catalog())
    (tmp_path / "a.json").write_text('{"resourceType": "Claim"}', encoding="utf-8")
    with pytest.raises(MappingError, match="without a mapping"):
        suggest_mapping(tmp_path / "a.json", load_catalog())


def test_a_check_tells_what_a_mapping_does_and_what_a_table_lacks(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "a.csv").write_text(
        "id,hospital,person,start,end,kind,fund,note\n", encoding="utf-8"
    )
    found = check_mapping(tmp_path / "m.yaml", load_catalog(), tmp_path / "a.csv")

    assert (found.namespace, found.absent, found.unused) == ("test-set", ("own",), ("note",))
    told = {(kind, name): text for kind, name, text in found.lines}
    assert told["settlement", "medfee_fen"] == "fund + own"
    assert told["settlement", "sign"] == "always 1"
    assert told["admission", "doctor"] == "nothing"
    alone = check_mapping(tmp_path / "m.yaml", load_catalog())
    assert (alone.absent, alone.unused) == ((), ())
    with pytest.raises(IntakeFileError, match=r"none\.csv"):
        check_mapping(tmp_path / "m.yaml", load_catalog(), tmp_path / "none.csv")
