"""Messages obey the national interface, their amounts agree, and nobody in them is real."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.check_digits import is_valid_id_card
from scoring_kernel.transactions import InterfaceField
from tests.unit.deploy.simulation.conftest import Written

CATALOG = load_catalog()
SETTLEMENTS = {"2207", "2304", "2102"}
REVERSALS = {"2208", "2305", "2103"}


def fen(yuan: float) -> int:
    amount = Decimal(repr(yuan)) * 100
    assert amount == amount.to_integral_value(), f"{yuan} has more than two decimals"
    return int(amount)


def nodes(content: dict[str, Any], within: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Rows of every node, those within another too, which is named before them."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                found += [(within + name, one), *nodes(one, f"{within}{name}.")]
    return found


def check(field: InterfaceField, value: object) -> None:
    if field.code_list is not None and field.code_list not in CATALOG.extensible_lists:
        assert value in CATALOG.code_lists[field.code_list], field.name
    if field.type == "string" and field.length is not None:
        assert isinstance(value, str), field.name
        assert len(value) <= field.length, field.name
    if field.type == "number":
        assert isinstance(value, int | float), field.name
        scaled = Decimal(repr(value)).scaleb(field.scale)
        assert scaled == scaled.to_integral_value(), f"{field.name}: {value}"


def test_every_required_field_is_there_and_every_value_obeys_its_format(written: Written) -> None:
    for exchange in written.exchanges():
        transaction = CATALOG.transactions[exchange["infno"]]
        sides = [("request", exchange["request"]["input"])]
        if exchange.get("response", {}).get("infcode") == 0:
            sides.append(("response", exchange["response"]["output"]))
        for direction, content in sides:
            for node, value in nodes(content):
                fields = {one.name: one for one in transaction.fields[(direction, node)]}
                required = {name for name, one in fields.items() if one.required}
                assert required <= value.keys() | {"mdtrt_id"}, (exchange["infno"], node)
                for name, one in value.items():
                    assert one not in ("", None, []), f"{name} is empty: leave it out"
                    if name in fields:
                        check(fields[name], one)
        for one in CATALOG.envelope.fields[("request", "")]:
            if one.name in exchange["request"] and one.name != "input":
                check(one, exchange["request"][one.name])
            assert not one.required or one.name in exchange["request"], one.name


def test_message_ids_are_unique_and_name_sender_and_moment(written: Written) -> None:
    ids = set()
    for exchange in written.exchanges():
        request = exchange["request"]
        compact = "".join(char for char in request["inf_time"] if char.isdigit())
        assert request["msgid"].startswith(request["fixmedins_code"] + compact)
        assert len(request["msgid"]) == 30
        ids.add(request["msgid"])
    assert len(ids) == written.manifest["messages"]


def test_messages_of_a_file_are_of_its_period_and_in_order_of_time(written: Written) -> None:
    for period, months in (("2025H1", "2025-0"), ("2026H1", "2026-0")):
        for path in written.out.glob(f"messages/*/{period}.jsonl"):
            times = [
                line.split(b'"inf_time":"', 1)[1][:19].decode()
                for line in path.read_bytes().splitlines()
            ]
            assert times == sorted(times)
            assert {moment[:6] for moment in times} == {months}
            assert {moment[5:7] for moment in times} == {"01", "02", "03", "04", "05", "06"}


def test_persons_are_of_an_unassigned_area_with_a_valid_check_digit(written: Written) -> None:
    seen = set()
    for exchange in written.exchanges():
        for _, value in nodes(exchange["request"]["input"]):
            if value.get("mdtrt_cert_type") == "02":
                seen.add(value["mdtrt_cert_no"])
    assert len(seen) > 100
    assert all(is_valid_id_card(number) and number[:6] >= "990000" for number in seen)


def test_lines_sum_up_to_the_settlement_and_payers_sum_up_to_the_lines(written: Written) -> None:
    lines: Counter[str] = Counter()
    for exchange in written.exchanges():
        if exchange["infno"] in {"2204", "2301"}:
            for line in exchange["request"]["input"]["feedetail"]:
                lines[line["mdtrt_id"]] += fen(line["det_item_fee_sumamt"])
                assert fen(line["det_item_fee_sumamt"]) == fen(line["pric"]) * line["cnt"]
    checked = 0
    for exchange in written.exchanges():
        answer = exchange.get("response")
        if exchange["infno"] not in SETTLEMENTS or answer is None or answer["infcode"]:
            continue
        paid = answer["output"]["setlinfo"]
        total = fen(paid["medfee_sumamt"])
        assert total == fen(paid["fund_pay_sumamt"]) + fen(paid["psn_part_amt"])
        assert fen(paid["psn_part_amt"]) == fen(paid["acct_pay"]) + fen(paid["psn_cash_pay"])
        assert paid["medins_setl_id"] == exchange["request"]["msgid"]
        if exchange["infno"] == "2102":
            sold = exchange["request"]["input"]["drugdetail"]
            assert total == sum(fen(line["det_item_fee_sumamt"]) for line in sold)
        else:
            assert total == lines[paid["mdtrt_id"]]
            assert exchange["request"]["input"]["data"]["medfee_sumamt"] == paid["medfee_sumamt"]
        checked += 1
    assert checked > 1_000


def test_a_reversal_takes_back_exactly_what_its_settlement_gave(written: Written) -> None:
    settled: dict[str, dict[str, Any]] = {}
    reversed_ids = []
    for exchange in written.exchanges():
        answer = exchange.get("response")
        if answer is None or answer["infcode"]:
            continue
        if exchange["infno"] in SETTLEMENTS:
            settled[answer["output"]["setlinfo"]["setl_id"]] = answer["output"]["setlinfo"]
        if exchange["infno"] in REVERSALS:
            setl_id = exchange["request"]["input"]["data"]["setl_id"]
            taken, given = answer["output"]["setlinfo"], settled[setl_id]
            assert taken["setl_id"] != setl_id
            for name in ("medfee_sumamt", "fund_pay_sumamt", "inscp_scp_amt", "psn_part_amt"):
                assert fen(taken[name]) == -fen(given[name])
            reversed_ids.append(setl_id)
    assert len(reversed_ids) == len(set(reversed_ids)) > 5


def test_some_messages_are_refused_and_some_are_never_answered(written: Written) -> None:
    answers: Counter[str] = Counter()
    for exchange in written.exchanges():
        answer = exchange.get("response")
        answers["none" if answer is None else str(answer["infcode"])] += 1
    assert answers["0"] > 50 * answers["-1"] > 0
    assert answers["none"] > 0
    whole = [written.manifest["periods"][name] for name in ("2025H1", "2026H1")]
    assert answers["-1"] == sum(period["refused"] for period in whole)
    assert answers["none"] == sum(period["unanswered"] for period in whole)


def test_the_manifest_states_the_sums_that_are_in_the_messages(written: Written) -> None:
    for period in ("2025H1", "2026H1"):
        fund = settlements = details = discharges = 0
        for exchange in written.exchanges(period):
            content = exchange["request"]["input"]
            details += len(content.get("feedetail", [])) + len(content.get("drugdetail", []))
            answer = exchange.get("response")
            if answer is None or answer["infcode"]:
                details -= len(content.get("drugdetail", []))
                continue
            discharges += {"2402": 1, "2405": -1}.get(exchange["infno"], 0)
            if exchange["infno"] in SETTLEMENTS | REVERSALS:
                settlements += 1 if exchange["infno"] in SETTLEMENTS else -1
                fund += fen(answer["output"]["setlinfo"]["fund_pay_sumamt"])
        stated = written.manifest["periods"][period]
        assert (stated["fund_fen"], stated["settlements"]) == (fund, settlements)
        assert (stated["detail_lines"], stated["discharges"]) == (details, discharges)


@pytest.mark.parametrize("kind", ["duplicate_charge", "bed_hanging", "split_admission"])
def test_injected_misconduct_is_in_the_messages_of_whom_the_ground_truth_names(
    written: Written, kind: str
) -> None:
    truth = {
        row["institution"]: int(row["detail"].split()[0])
        for row in written.rows("ground_truth.csv")
        if row["misconduct"] == kind
    }
    assert truth, f"nobody does {kind} in this city"
    assert _found(written, kind) == truth


def _found(written: Written, kind: str) -> dict[str, int]:
    """Find a misconduct without looking at the ground truth."""
    if kind == "duplicate_charge":
        return _doubled(written)
    lines: dict[str, set[str]] = defaultdict(set)
    stays = []
    cancelled = {
        exchange["request"]["input"]["data"]["mdtrt_id"]
        for exchange in written.exchanges("2026H1")
        if exchange["infno"] == "2404"
    }
    for exchange in written.exchanges("2026H1"):
        content = exchange["request"]["input"]
        for line in content.get("feedetail", []):
            lines[line["mdtrt_id"]].add(line["medins_list_codg"])
        if exchange["infno"] == "2401":
            visit = exchange["response"]["output"]["result"]["mdtrt_id"]
            if visit in cancelled:
                continue
            admitted = content["mdtrtinfo"]
            key = (exchange["request"]["fixmedins_code"], admitted["psn_no"])
            stays.append((key, admitted["begntime"][:10], "in", visit))
        if exchange["infno"] == "2402":
            left = content["dscginfo"]
            key = (exchange["request"]["fixmedins_code"], left["psn_no"])
            stays.append((key, left["endtime"][:10], "out", left["mdtrt_id"]))
    if kind == "bed_hanging":
        return dict(
            Counter(
                key[0] for key, _, what, visit in stays if what == "in" and len(lines[visit]) == 1
            )
        )
    stays.sort(key=lambda one: (one[0], one[1], one[2] == "in"))
    return dict(
        Counter(
            first[0][0]
            for first, second in pairwise(stays)
            if first[0] == second[0]
            and (first[2], second[2]) == ("out", "in")
            and _next_day(first[1]) == second[1]
        )
    )


def test_a_mistake_at_the_counter_is_cancelled_and_mended(written: Written) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for exchange in written.exchanges():
        content = exchange["request"]["input"]
        if exchange["infno"] == "2401":
            counts[exchange["response"]["output"]["result"]["mdtrt_id"]]["2401"] += 1
        elif exchange["infno"] == "2402":
            counts[content["dscginfo"]["mdtrt_id"]]["2402"] += 1
        elif exchange["infno"] in {"2404", "2405"}:
            counts[content["data"]["mdtrt_id"]][exchange["infno"]] += 1
    kinds = Counter(tuple(sorted(count.items())) for count in counts.values())
    assert set(kinds) == {
        (("2401", 1), ("2402", 1)),
        (("2401", 1), ("2404", 1)),
        (("2401", 1), ("2402", 2), ("2405", 1)),
    }


def _doubled(written: Written) -> dict[str, int]:
    found: Counter[str] = Counter()
    for exchange in written.exchanges("2026H1"):
        if exchange["infno"] == "2204":
            lines = exchange["request"]["input"]["feedetail"]
            keys = Counter((line["med_list_codg"], line["cnt"]) for line in lines)
            found[exchange["request"]["fixmedins_code"]] += max(keys.values()) > 1
    return {code: count for code, count in found.items() if count}


def _next_day(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
