"""Unknown keys are kept aside with their path and value; nothing is refused for one."""

import json
from pathlib import Path

from node.intake.extras import ALL_PATHS, MAX_EXTRAS
from node.store import NodeStore
from tests.support import node_messages as m


def extras(store: NodeStore) -> dict[str, object]:
    return {row["path"]: json.loads(row["body"]) for row in m.rows_of(store, "extra")}


def test_unknown_keys_are_kept_with_their_paths(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=3, new_key={"deep": ["值", 1.50]}, known_nothing="")
    document["request"]["province"] = "33"
    document["request"]["input"]["other_node"] = [{"a": None}]
    document["request"]["input"]["feedetail"][2].update(new_key=0)
    document["response"]["trace_id"] = "T1"
    document["response"]["output"]["result"][1]["exp"] = False

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(2), document, m.fees(3)])

    assert report.records_stored == {"extra": 6, "fee_detail": 7}
    assert extras(store) == {
        "request.province": "33",
        "request.other_node": [{"a": None}],
        "request.feedetail[0].new_key": {"deep": ["值", 1.5]},
        "request.feedetail[2].new_key": 0,
        "response.trace_id": "T1",
        "response.result[1].exp": False,
    }
    (row, *_) = m.rows_of(store, "extra")
    assert (
        row.items()
        >= {
            "record_id": document["request"]["msgid"] + "#2204",
            "institution": m.HOSPITAL,
            "month": 202603,
            "infno": "2204",
        }.items()
    )


def test_an_object_that_nobody_described_is_kept(store: NodeStore, tmp_path: Path) -> None:
    document = m.pharmacy_sale(1)
    document["request"]["input"]["druginfo"]["expContent"] = {"card": "1"}
    del document["request"]["input"]["drugdetail"][0]["bilg_dept_codg"]

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert extras(store) == {"request.druginfo.expContent": {"card": "1"}}


def test_keys_without_end_are_one_record(store: NodeStore, tmp_path: Path) -> None:
    keys = {f"k{n}": n for n in range(MAX_EXTRAS)}
    documents = [m.settlement(1, request=keys), m.settlement(2, request={**keys, "more": 1})]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"extra": MAX_EXTRAS + 1, "settlement": 2}
    folded = extras(store)[ALL_PATHS]
    assert isinstance(folded, dict)
    assert folded["request.data.more"] == 1
    assert len(folded) == MAX_EXTRAS + 1


def test_a_message_that_waits_has_its_extras_when_it_is_complete(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.settlement(1, request={"new_key": "值"})
    waiting = {key: value for key, value in document.items() if key != "response"}

    first = m.ingest_documents(store, tmp_path / "a.jsonl", [waiting])
    second = m.ingest_documents(store, tmp_path / "b.jsonl", [document])
    third = m.ingest_documents(store, tmp_path / "c.jsonl", [document])

    assert (first.records_stored, third.records_stored) == ({}, {})
    assert second.records_stored == {"extra": 1, "settlement": 1}
    assert extras(store) == {"request.data.new_key": "值"}
