"""Every kind of bad input becomes one quarantine row; the rest of the file goes in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.domain.faults import MENDS, Rule
from node.store import NodeStore
from tests.support import node_messages as m

Change = Callable[[m.Document], None]


def _request(key: str, value: object) -> Change:
    def change(document: m.Document) -> None:
        document["request"][key] = value

    return change


def _line(key: str, value: object) -> Change:
    def change(document: m.Document) -> None:
        document["request"]["input"]["feedetail"][0][key] = value

    return change


def _asked(key: str, value: object) -> Change:
    def change(document: m.Document) -> None:
        document["request"]["input"]["data"][key] = value

    return change


def _paid(key: str, value: object) -> Change:
    def change(document: m.Document) -> None:
        document["response"]["output"]["setlinfo"][key] = value

    return change


def _answered(value: object) -> Change:
    def change(document: m.Document) -> None:
        document["response"] = value

    return change


def _input(value: object) -> Change:
    def change(document: m.Document) -> None:
        document["request"]["input"] = value

    return change


FAULTS: list[tuple[str, Callable[[int], m.Document], Change, Rule, str]] = [
    ("infno", m.fees, _request("infno", "9999"), Rule.INFNO_UNKNOWN, "request.infno"),
    ("infno_type", m.fees, _request("infno", 2204), Rule.INFNO_UNKNOWN, "request.infno"),
    ("infno_other", m.fees, _request("infno", "2301"), Rule.INFNO_MISMATCH, "infno"),
    ("msgid_short", m.fees, _request("msgid", "H1"), Rule.MSGID_FORMAT, "request.msgid"),
    (
        "msgid_wide_digits",
        m.fees,
        _request("msgid", "H" + "\uff11" * 29),
        Rule.MSGID_FORMAT,
        "request.msgid",
    ),
    (
        "msgid_of_another",
        m.fees,
        _request("msgid", "H33030200099202603180950390001"),
        Rule.MSGID_INSTITUTION,
        "request.msgid",
    ),
    (
        "institution_form",
        m.fees,
        _request("fixmedins_code", "hospital"),
        Rule.INSTITUTION_UNKNOWN,
        "request.fixmedins_code",
    ),
    (
        "inf_time_form",
        m.fees,
        _request("inf_time", "2026/03/18"),
        Rule.DATE_INVALID,
        "request.inf_time",
    ),
    (
        "inf_time_day",
        m.fees,
        _request("inf_time", "2026-02-30 00:00:00"),
        Rule.DATE_INVALID,
        "request.inf_time",
    ),
    (
        "inf_time_future",
        m.fees,
        _request("inf_time", "2027-01-01 00:00:00"),
        Rule.DATE_FUTURE,
        "request.inf_time",
    ),
    (
        "inf_time_early",
        m.fees,
        _request("inf_time", "1999-12-31 23:59:59"),
        Rule.DATE_TOO_EARLY,
        "request.inf_time",
    ),
    ("no_input", m.fees, _input(None), Rule.MESSAGE_SHAPE, ""),
    ("response_list", m.fees, _answered([]), Rule.MESSAGE_SHAPE, ""),
    ("response_empty", m.fees, _answered({}), Rule.FIELD_MISSING, "response.infcode"),
    ("infcode_bool", m.fees, _answered({"infcode": True}), Rule.FIELD_MISSING, "response.infcode"),
    (
        "output_list",
        m.fees,
        _answered({"infcode": 0, "output": ["x"]}),
        Rule.MESSAGE_SHAPE,
        "",
    ),
    ("no_lines", m.fees, _input({"feedetail": []}), Rule.FIELD_MISSING, "request.feedetail"),
    ("lines_text", m.fees, _input({"feedetail": "x"}), Rule.FIELD_TYPE, "request.feedetail"),
    ("lines_mixed", m.fees, _input({"feedetail": [{}, 1]}), Rule.FIELD_TYPE, "request.feedetail"),
    (
        "line_empty",
        m.fees,
        _input({"feedetail": [{}]}),
        Rule.FIELD_MISSING,
        "request.feedetail.feedetl_sn",
    ),
    ("no_visit", m.fees, _line("mdtrt_id", ""), Rule.FIELD_MISSING, "request.feedetail.mdtrt_id"),
    ("visit_object", m.fees, _line("mdtrt_id", {}), Rule.FIELD_TYPE, "request.feedetail.mdtrt_id"),
    (
        "visit_bool",
        m.fees,
        _line("mdtrt_id", value=True),
        Rule.FIELD_TYPE,
        "request.feedetail.mdtrt_id",
    ),
    (
        "visit_long",
        m.fees,
        _line("mdtrt_id", "x" * 31),
        Rule.FIELD_TOO_LONG,
        "request.feedetail.mdtrt_id",
    ),
    (
        "code",
        m.fees,
        _line("hosp_appr_flag", "7"),
        Rule.CODE_UNKNOWN,
        "request.feedetail.hosp_appr_flag",
    ),
    (
        "no_amount",
        m.fees,
        _line("det_item_fee_sumamt", None),
        Rule.FIELD_MISSING,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_scale",
        m.fees,
        _line("det_item_fee_sumamt", 35.605),
        Rule.NUMBER_SCALE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_text_scale",
        m.fees,
        _line("det_item_fee_sumamt", "35.605"),
        Rule.NUMBER_SCALE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_huge",
        m.fees,
        _line("det_item_fee_sumamt", 1e300),
        Rule.NUMBER_RANGE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_text_huge",
        m.fees,
        _line("det_item_fee_sumamt", "99999999999999999"),
        Rule.NUMBER_RANGE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_word",
        m.fees,
        _line("det_item_fee_sumamt", "much"),
        Rule.FIELD_TYPE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    (
        "amount_bool",
        m.fees,
        _line("det_item_fee_sumamt", value=True),
        Rule.FIELD_TYPE,
        "request.feedetail.det_item_fee_sumamt",
    ),
    ("count_negative", m.fees, _line("cnt", -2), Rule.NUMBER_NEGATIVE, "request.feedetail.cnt"),
    ("price_negative", m.fees, _line("pric", -1), Rule.NUMBER_NEGATIVE, "request.feedetail.pric"),
    (
        "day_word",
        m.fees,
        _line("fee_ocur_time", "now"),
        Rule.DATE_INVALID,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_nat",
        m.fees,
        _line("fee_ocur_time", "NaT"),
        Rule.DATE_INVALID,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_calendar",
        m.fees,
        _line("fee_ocur_time", "2026-02-30 09:00:00"),
        Rule.DATE_INVALID,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_type",
        m.fees,
        _line("fee_ocur_time", 20260318),
        Rule.DATE_INVALID,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_missing",
        m.fees,
        _line("fee_ocur_time", ""),
        Rule.FIELD_MISSING,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_future",
        m.fees,
        _line("fee_ocur_time", "2026-07-16 09:00:00"),
        Rule.DATE_FUTURE,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "day_early",
        m.fees,
        _line("fee_ocur_time", "1999-12-31"),
        Rule.DATE_TOO_EARLY,
        "request.feedetail.fee_ocur_time",
    ),
    (
        "line_twice",
        m.fees,
        _line("feedetl_sn", "F0002"),
        Rule.DUPLICATE_LINE,
        "request.feedetail.feedetl_sn",
    ),
    (
        "card",
        m.settlement,
        _asked("mdtrt_cert_no", "330302195803121017"),
        Rule.CHECK_DIGIT,
        "request.data.mdtrt_cert_no",
    ),
    (
        "card_answer",
        m.settlement,
        _paid("certno", "330302195803121017"),
        Rule.CHECK_DIGIT,
        "response.setlinfo.certno",
    ),
    (
        "person",
        m.settlement,
        _paid("psn_no", "33030000000000000000100002"),
        Rule.PERSON_MISMATCH,
        "response.setlinfo.psn_no",
    ),
    (
        "visit",
        m.settlement,
        _paid("mdtrt_id", "330302G0000000100077"),
        Rule.VISIT_MISMATCH,
        "response.setlinfo.mdtrt_id",
    ),
    (
        "sum",
        m.settlement,
        _paid("fund_pay_sumamt", 66.93),
        Rule.AMOUNTS_DISAGREE,
        "response.setlinfo.medfee_sumamt",
    ),
    (
        "fund_negative",
        m.settlement,
        _paid("fund_pay_sumamt", -1),
        Rule.NUMBER_NEGATIVE,
        "response.setlinfo.fund_pay_sumamt",
    ),
    (
        "no_setl_id",
        m.settlement,
        _paid("setl_id", None),
        Rule.FIELD_MISSING,
        "response.setlinfo.setl_id",
    ),
    (
        "setl_time_future",
        m.settlement,
        _paid("setl_time", "2030-01-01 00:00:00"),
        Rule.DATE_FUTURE,
        "response.setlinfo.setl_time",
    ),
    (
        "list_order",
        m.settlement_list,
        lambda d: d["request"]["input"]["setlinfo"].update(dscg_time="2026-03-19"),
        Rule.DATE_ORDER,
        "request.setlinfo.dscg_time",
    ),
    (
        "list_days",
        m.settlement_list,
        lambda d: d["request"]["input"]["setlinfo"].update(dscg_time="", setl_end_date=None),
        Rule.FIELD_MISSING,
        "request.setlinfo.setl_end_date",
    ),
    (
        "way",
        m.discharge,
        lambda d: d["request"]["input"]["dscginfo"].update(dscg_way="7"),
        Rule.CODE_UNKNOWN,
        "request.dscginfo.dscg_way",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_faulty_message_is_refused_and_the_rest_goes_in(
    store: NodeStore,
    tmp_path: Path,
    fault: tuple[str, Callable[[int], m.Document], Change, Rule, str],
) -> None:
    _, build, change, rule, field = fault
    faulty = build(2)
    change(faulty)

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1), faulty, build(3)])

    (row,) = store.quarantine_rows()
    assert (row.rule, row.field, row.line, row.source) == (rule, field, 2, "a.jsonl")
    assert row.mend == MENDS[rule]
    assert report.by_rule == {rule: 1}
    assert store.counts().messages == 2


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"infno": "2204", "request": {"infno"', Rule.JSON_BROKEN),
        (b"\xff\xfe\x00 no text", Rule.UTF8_INVALID),
        ('{"infno": "张"'.encode("gb18030"), Rule.UTF8_INVALID),
        (b"[1, 2]", Rule.MESSAGE_SHAPE),
        (b"null", Rule.MESSAGE_SHAPE),
        (b'{"request": 5}', Rule.MESSAGE_SHAPE),
        (b"[" * 100_000, Rule.JSON_BROKEN),
    ],
)
def test_an_unreadable_line_is_refused_and_the_rest_goes_in(
    store: NodeStore, tmp_path: Path, body: bytes, rule: Rule
) -> None:
    first = m.write_lines(tmp_path / "1.jsonl", [m.fees(1)]).read_bytes()
    last = m.write_lines(tmp_path / "2.jsonl", [m.fees(2)]).read_bytes()
    path = tmp_path / "a.jsonl"
    path.write_bytes(first + body + b"\n\n" + last)

    report = m.ingest(store, path)

    assert report.by_rule == {rule: 1}
    assert [row.line for row in store.quarantine_rows()] == [2]
    assert store.counts().messages == 2


def test_a_day_outside_the_period_is_refused(store: NodeStore, tmp_path: Path) -> None:
    path = m.write_lines(tmp_path / "a.jsonl", [m.fees(1), m.settlement(2), m.admission(3)])

    report = m.ingest(store, path, expected_months=frozenset({202507, 202508}))

    assert report.by_rule == {Rule.DATE_OUTSIDE_PERIOD: 3}
    assert "expected a day of 202507 to 202508" in store.quarantine_rows()[0].reason


def test_an_unknown_institution_is_refused(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1)
    document["request"]["fixmedins_code"] = "H33030200042"
    document["request"]["msgid"] = "H33030200042202603180950390001"

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.by_rule == {Rule.INSTITUTION_UNKNOWN: 1}
    assert "H33030200042" in store.quarantine_rows()[0].reason


def test_a_personal_value_is_masked_wherever_it_is_shown(store: NodeStore, tmp_path: Path) -> None:
    wrong = "330302195803121017"
    document = m.settlement(1, request={"mdtrt_cert_no": wrong})

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    (row,) = store.quarantine_rows()
    assert row.value == "33**************** (18 characters)"
    assert wrong not in repr(row)
    assert b"0302195803121" not in (tmp_path / "node" / "node.db").read_bytes()


def test_requests_are_checked_while_they_wait_for_their_response(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.fees(1, cnt=-1)
    del document["response"]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert (report.by_rule, report.pending) == ({Rule.NUMBER_NEGATIVE: 1}, 0)


def test_two_faults_of_two_messages_are_both_found(store: NodeStore, tmp_path: Path) -> None:
    documents = [
        m.fees(1, cnt=-1),
        m.fees(2, fee_ocur_time="x"),
        m.fees(3),
        m.settlement(4, response={"fund_pay_sumamt": 1}),
        m.settlement(5, request={"psn_no": ""}),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert [row.line for row in store.quarantine_rows()] == [1, 2, 4, 5]
    assert report.records_stored == {"fee_detail": 2}
    assert store.quarantine_rows(2, 1)[0].line == 2
