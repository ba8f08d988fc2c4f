"""Stock movements that are uploaded again, and those that are deleted."""

import copy
from pathlib import Path
from typing import Any

import pytest

from node.store import NodeStore
from tests.support import node_messages as m

CODES = [{"drug_trac_codg": f"8100000000000000010{n}"} for n in range(3)]
SALE: dict[str, Any] = {
    "med_list_codg": "ZA04CAE0023010100166",
    "fixmedins_hilist_id": "YD88",
    "fixmedins_bchno": "BC0001",
    "sel_retn_time": "2026-03-19 18:20:00",
    "sel_retn_cnt": 2,
    "finl_trns_pric": "23.5",
    "rtal_docno": "LS0001",
    "trdn_flag": "0",
    "drugtracinfo": CODES[:2],
}
COUNT: dict[str, Any] = {
    "med_list_codg": "ZA04CAE0023010100166",
    "fixmedins_hilist_id": "YD88",
    "invdate": "2026-03-19",
    "inv_cnt": 60,
    "fixmedins_bchno": "BC0001",
}
STANDING = """
  WITH withdrawn AS (
    SELECT DISTINCT moved.record_id
    FROM stock_deletion AS gone
    JOIN {kind} AS moved
      ON moved.institution = gone.institution
        AND moved.batch = gone.batch
        AND moved.data_type = gone.what
    WHERE moved.record_id < gone.record_id
  )
  SELECT record_id
  FROM (
    SELECT
      moved.record_id,
      row_number() OVER (
        PARTITION BY coalesce(moved.entry, moved.record_id){also}
        ORDER BY moved.record_id DESC
      ) AS place
    FROM {kind} AS moved
    LEFT JOIN withdrawn ON withdrawn.record_id = moved.record_id
    WHERE withdrawn.record_id IS NULL
  ) AS ranked
  WHERE place = 1
  ORDER BY record_id
"""
"""How rules count movements: uploads of one are one, and what was deleted is gone."""


def sold(number: int, *rows: m.Document, **changes: object) -> m.Document:
    """Sales (3505A); changes go into the first row."""
    details = copy.deepcopy(list(rows or (SALE,)))
    details[0].update(changes)
    body = {"selinfoDetail": details}
    return m.answered(m.envelope("3505A", number, body, institution=m.PHARMACY), {})


def counted(number: int, **changes: object) -> m.Document:
    """A count (3501)."""
    body = {"invinfo": {**COUNT, **changes}}
    return m.answered(m.envelope("3501", number, body, institution=m.PHARMACY), {})


def deleted(number: int, batch: str = "BC0001", what: str = "4") -> m.Document:
    """A deletion (3507)."""
    body = {"data": {"fixmedins_bchno": batch, "inv_data_type": what}}
    return m.answered(m.envelope("3507", number, body, institution=m.PHARMACY), {})


def standing(store: NodeStore, kind: str = "stock_movement") -> list[str]:
    """Which movements or codes stand, by the number of their message and their place."""
    also = ", moved.code" if kind == "trace_code" else ""
    engine = store.relations([kind, "stock_deletion"])
    try:
        rows = engine.execute(STANDING.format(kind=kind, also=also)).fetchall()
    finally:
        engine.close()
    return [f"{int(row[0][26:30])}.{row[0].rpartition('.')[2]}" for row in rows]


def ingest(store: NodeStore, path: Path, *documents: m.Document) -> None:
    assert m.ingest_documents(store, path / "a.jsonl", documents).quarantined == 0


def test_a_sale_sent_again_is_one_sale(store: NodeStore, tmp_path: Path) -> None:
    corrected = sold(3, finl_trns_pric="24", drugtracinfo=CODES[1::-1])

    ingest(store, tmp_path, sold(1), sold(2), corrected)

    assert standing(store) == ["3.1"]
    assert standing(store, "trace_code") == ["3.1", "3.2"]
    rows = m.rows_of(store, "stock_movement")
    assert len({row["entry"] for row in rows}) == 1
    assert {row["document"] for row in rows} == {"LS0001"}
    assert {row["entry"] for row in m.rows_of(store, "trace_code")} == {rows[0]["entry"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"drugtracinfo": CODES[1:]},
        {"sel_retn_time": "2026-03-19 18:20:01"},
        {"sel_retn_cnt": 1},
        {"rtal_docno": "LS0002"},
        {"fixmedins_bchno": "BC0002"},
        {"setl_id": "S1"},
        {"fixmedins_hilist_id": "YD89"},
    ],
)
def test_another_sale_is_another(store: NodeStore, tmp_path: Path, changes: dict[str, Any]) -> None:
    ingest(store, tmp_path, sold(1), sold(2, **changes))

    assert standing(store) == ["1.1", "2.1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"drugtracinfo": []},
        {"trdn_flag": "1"},
        {"sel_retn_time": "2026-03-19 00:00:00", "rtal_docno": ""},
    ],
)
def test_sales_that_may_be_two_count_twice(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any]
) -> None:
    ingest(store, tmp_path, sold(1, **changes), sold(2, **changes))

    assert standing(store) == ["1.1", "2.1"]
    assert {row["entry"] for row in m.rows_of(store, "stock_movement")} == {None}


def test_a_document_tells_the_sales_of_a_day(store: NodeStore, tmp_path: Path) -> None:
    day = "2026-03-19 00:00:00"
    ingest(store, tmp_path, sold(1, sel_retn_time=day), sold(2, sel_retn_time=day))

    assert standing(store) == ["2.1"]


def test_equal_rows_of_one_message_are_several(store: NodeStore, tmp_path: Path) -> None:
    ingest(store, tmp_path, sold(1, SALE, SALE), sold(2, SALE, SALE))

    assert standing(store) == ["2.1", "2.2"]


def test_a_code_on_the_line_itself_tells_the_sale(store: NodeStore, tmp_path: Path) -> None:
    line = {key: value for key, value in SALE.items() if key != "drugtracinfo"}
    documents = [
        m.answered(
            m.envelope("3505", number, {"selinfo": {**line, **code}}, institution=m.PHARMACY), {}
        )
        for number, code in enumerate((CODES[0], CODES[0], CODES[1]), 1)
    ]

    ingest(store, tmp_path, *documents)

    assert standing(store) == ["2.1", "3.1"]


def test_a_count_sent_again_is_one_count(store: NodeStore, tmp_path: Path) -> None:
    ingest(store, tmp_path, counted(1), counted(2), counted(3, inv_cnt=59), counted(4))

    assert standing(store) == ["3.1", "4.1"]


def test_a_deletion_takes_back_what_was_sent_before_it(store: NodeStore, tmp_path: Path) -> None:
    other = sold(2, fixmedins_bchno="BC0002", drugtracinfo=CODES[2:])
    ingest(store, tmp_path, deleted(5), sold(1), other, counted(3), sold(4))

    assert standing(store) == ["2.1", "3.1"]
    assert standing(store, "trace_code") == ["2.1"]

    ingest(store, tmp_path, sold(6), deleted(7, what="1"))

    assert standing(store) == ["2.1", "6.1"]
    assert standing(store, "trace_code") == ["2.1", "6.1", "6.2"]


@pytest.mark.parametrize(
    ("infno", "node", "moment", "count", "data_type", "document"),
    [
        ("3502", "invinfo", "inv_chg_time", "cnt", "2", None),
        ("3503", "purcinfo", "purc_retn_stoin_time", "purc_retn_cnt", "3", "dynt_no"),
        ("3504", "purcinfo", "purc_retn_stoin_time", "purc_retn_cnt", "3", "medins_prod_purc_no"),
        ("3505", "selinfo", "sel_retn_time", "sel_retn_cnt", "4", "rtal_docno"),
        ("3506", "selinfo", "sel_retn_time", "sel_retn_cnt", "4", "medins_prod_sel_no"),
    ],
)
def test_every_movement_says_by_which_type_it_is_deleted(  # noqa: PLR0917 - a table
    store: NodeStore,
    tmp_path: Path,
    infno: str,
    node: str,
    moment: str,
    count: str,
    data_type: str,
    document: str | None,
) -> None:
    row: dict[str, Any] = {
        "fixmedins_hilist_id": "YD88",
        "fixmedins_bchno": "BC0001",
        moment: "2026-03-19 18:20:00",
        count: 1,
        "drugtracinfo": CODES[:1],
        **({document: "DH1"} if document else {}),
    }
    body = {node: row}
    ingest(
        store,
        tmp_path,
        m.answered(m.envelope(infno, 1, body, institution=m.PHARMACY), {}),
    )

    (moved,) = m.rows_of(store, "stock_movement")
    (code,) = m.rows_of(store, "trace_code")
    assert (moved["data_type"], moved["document"]) == (data_type, "DH1" if document else None)
    assert (code["data_type"], code["entry"]) == (data_type, moved["entry"])
    assert moved["entry"] is not None
