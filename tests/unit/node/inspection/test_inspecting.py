"""An inspection finds what was changed, removed, slipped in, hidden, invented or stated wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from node.errors import IntakeFileError
from node.inspection.clearing import read_clearing
from node.inspection.findings import Check, SpotReport, Verdict
from node.inspection.inspecting import WITHOUT_TOTALS, Outside, inspect
from node.inspection.statements import NOT_COMMITTED, NOT_IN_TREE, OTHER_PACK, OWN_RUN
from node.inspection.totals import read_totals
from node.retention import frozen_by_set
from protos.yixin.v1 import spot_pb2
from security.progress import no_progress
from security.spot.spot_file import open_spot_file, sign_spot_file
from tests.support.hub_city import FIRST
from tests.support.inspected import MONTH, Inspected, inspected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Inspected]:
    with inspected(tmp_path) as found:
        yield found


def check(
    world: Inspected,
    content: bytes | None = None,
    *,
    sample: int = 200,
    clearing: Path | None = None,
    totals: Path | None = None,
) -> SpotReport:
    anchor = world.city.parts.identity.anchor
    spot = open_spot_file(content or world.spot_file(), {anchor.hub: anchor})
    return inspect(
        world.store,
        world.jobs.catalog,
        spot,
        Outside(clearing=clearing, totals=totals, sample=sample),
        frozen_through=frozen_by_set(world.store, world.jobs.catalog),
        progress=no_progress,
    )


def checks(report: SpotReport) -> list[Check]:
    return [one.check for one in report.findings]


def clearing_file(path: Path, numbers: range, **changes: str) -> Path:
    lines = ["fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt"]
    for number in numbers:
        amount = changes.get(f"S{number:06}", f"{(10_000 + number) / 100:.2f}")
        lines.append(f"{FIRST},S{number:06},{amount},60.00")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_honest_node_agrees(world: Inspected, tmp_path: Path) -> None:
    report = check(world, clearing=clearing_file(tmp_path / "clearing.csv", range(200)))
    assert report.leaves is not None
    assert report.statements is not None
    assert report.clearing is not None
    assert report.findings == ()
    assert (report.leaves.sampled, report.leaves.proved) == (200, 200)
    # Settlements and physicians of the month; nobody was an inpatient, which is stated too.
    assert report.statements.counted == report.statements.agreed > 0
    assert report.statements.not_counted == {}
    assert set(report.statements.outside) <= {NOT_IN_TREE, OWN_RUN}
    assert report.verdict is Verdict.AGREES
    assert (report.clearing.cleared_sampled, report.clearing.recorded_sampled) == (200, 200)


@pytest.mark.parametrize("flushed", [False, True])
def test_corrections_are_proved_counted_and_no_finding(world: Inspected, *, flushed: bool) -> None:
    content = world.spot_file()
    world.keep([3], fund_fen=5_000)
    if flushed:
        world.store.flush()
    report = check(world, content)
    assert report.leaves is not None
    assert report.statements is not None
    assert (report.leaves.proved, report.leaves.replaced_since) == (200, 1)
    assert (report.leaves.came_since, report.findings) == (1, ())
    world.end_day()
    later = check(world)
    assert later.leaves is not None
    assert (later.leaves.population, later.leaves.replaced_before) == (201, 1)
    assert later.findings == ()


def test_a_changed_record_is_caught_when_it_is_drawn(world: Inspected) -> None:
    world.tamper(7, fund_fen=9_999)
    assert checks(check(world)) == [Check.CHANGED, Check.STATEMENT]
    drawn = {check(world, sample=size).leaves.findings != () for size in (1, 200)}  # type: ignore[union-attr]  # a report of an own tree has leaves
    assert True in drawn


def test_a_removed_record_is_missed_in_the_accounts(world: Inspected) -> None:
    world.remove(7)
    found = checks(check(world, sample=1))
    assert Check.REMOVED in found
    assert Check.STATEMENT in found


def test_a_record_slipped_in_under_a_leaf_is_found(world: Inspected) -> None:
    world.slip_in(900, like=7)
    found = checks(check(world))
    assert found.count(Check.DOUBLED) == 1
    assert Check.STATEMENT in found


def test_another_tree_is_told_and_nothing_else_is_looked_at(
    world: Inspected, tmp_path: Path
) -> None:
    content = world.spot_file()
    with inspected(tmp_path / "other") as other:
        other.keep([500])
        anchor = world.city.parts.identity.anchor
        report = inspect(
            other.store,
            other.jobs.catalog,
            open_spot_file(content, {anchor.hub: anchor}),
            Outside(),
            frozen_through={},
            progress=no_progress,
        )
    assert checks(report) == [Check.TREE]
    assert (report.verdict, report.leaves, report.certainties) == (Verdict.DIFFERS, None, ())


def test_a_statement_that_its_records_do_not_give_is_found(world: Inspected) -> None:
    body = spot_pb2.SpotFileBody.FromString(spot_pb2.SpotFile.FromString(world.spot_file()).body)
    for slot in body.slots:
        if slot.measure_set == "settlement":
            slot.digest = bytes(32)
    report = check(world, sign_spot_file(body, world.city.parts.identity.signing))
    assert checks(report) == [Check.STATEMENT]
    assert f"settlement of {FIRST} {MONTH}" in report.findings[0].subject


def test_what_cannot_be_counted_again_says_why(world: Inspected) -> None:
    body = spot_pb2.SpotFileBody.FromString(spot_pb2.SpotFile.FromString(world.spot_file()).body)
    signing = world.city.parts.identity.signing
    (slot,) = (slot for slot in body.slots if slot.measure_set == "settlement")
    slot.pack_digest = bytes(32)
    report = check(world, sign_spot_file(body, signing))
    assert report.statements is not None
    assert report.statements.not_counted == {OTHER_PACK: 1}
    assert (report.verdict, report.findings) == (Verdict.INCOMPLETE, ())
    slot.ledger_size = 10_000
    report = check(world, sign_spot_file(body, signing))
    assert report.statements is not None
    assert report.statements.not_counted == {NOT_COMMITTED: 1}


@pytest.mark.parametrize("sample", [300, 200])
def test_a_settlement_cleared_as_another_kind_of_care_is_found(
    world: Inspected, tmp_path: Path, sample: int
) -> None:
    """The amounts are the same, and so is every sum: the clearing type alone tells."""
    path = clearing_file(tmp_path / "clearing.csv", range(200))
    lines = path.read_text(encoding="utf-8").splitlines()
    types = {9: "21", 10: "41", 11: "9901", 12: ""}
    typed = [f"{line},{types.get(at, '11')}" for at, line in enumerate(lines[1:])]
    path.write_text("\n".join([lines[0] + ",clr_type", *typed]) + "\n", encoding="utf-8")
    report = check(world, clearing=path, sample=sample)
    assert [(one.check, one.subject) for one in report.findings] == [
        (Check.MISFILED, f"settlement S000009 of {FIRST}"),
        (Check.MISFILED, f"settlement S000010 of {FIRST}"),
    ]
    assert report.findings[0].detail == (
        "was cleared under type 21 (inpatient), committed as outpatient"
    )
    assert report.clearing is not None
    assert report.clearing.untyped == 2
    assert report.verdict is Verdict.DIFFERS


def test_inpatients_pharmacies_and_reversals_are_cleared_as_what_they_are(
    world: Inspected, tmp_path: Path
) -> None:
    world.keep([300], inpatient=True, med_type="21")
    world.keep([301], med_type="41")
    world.keep([302], inpatient=True, med_type="21")
    back = {"medfee_fen": -10_302, "fund_fen": -6_000, "med_type": "", "inpatient": False}
    world.keep([302], record_id="r302b", sign=-1, **back)
    world.end_day()
    path = tmp_path / "clearing.csv"
    rows = [(300, "21", "0"), (301, "41", "0"), (302, "21", "0"), (302, "21", "1")]
    header = "fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt,clr_type,refd_setl_flag"
    lines = [
        f"{FIRST},S{number:06},{(10_000 + number) / 100:.2f},60.00,{kind},{refund}"
        for number, kind, refund in rows
    ]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    report = check(world, clearing=path, sample=300)
    assert Check.MISFILED not in checks(report)
    assert report.clearing is not None
    assert (report.clearing.cleared_sampled, report.clearing.untyped) == (4, 0)


def test_hidden_invented_and_other_amounts_are_found(world: Inspected, tmp_path: Path) -> None:
    path = clearing_file(tmp_path / "clearing.csv", range(1, 202), S000009="1.00")
    report = check(world, clearing=path, sample=300)
    found = [(one.check, one.subject) for one in report.findings]
    assert sorted(found) == [
        (Check.DIFFERS, f"settlement S000009 of {FIRST}"),
        (Check.HIDDEN, f"settlement S000200 of {FIRST}"),
        (Check.HIDDEN, f"settlement S000201 of {FIRST}"),
        (Check.INVENTED, f"settlement S000000 of {FIRST}"),
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fixmedins_code,setl_id\nH,1\n", "lacks the columns medfee_sumamt"),
        ("fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\nH,1,1.001,0\n", "no amount"),
        ("fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\nH,1,NaN,0\n", "no amount"),
        ("fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\nH,1,1e99,0\n", "no amount"),
        ("fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\nH,1,,0\n", "no amount"),
        ("fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\n,1,1,0\n", "lacks its institution"),
        (
            "fixmedins_code,setl_id,medfee_sumamt,fund_pay_sumamt\nH,1,1,0\nH,1,2,0\n",
            "in the file twice",
        ),
        ("\x00\x01", "clearing.csv"),
    ],
)
def test_a_clearing_file_that_is_none_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "clearing.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(IntakeFileError, match=wanted):
        read_clearing(path)


def message(**changes: object) -> bytes:
    data = {
        "insutype": "310",
        "clr_type": "11",
        "setl_optins": "330302",
        "stmt_begndate": "2026-10-01",
        "stmt_enddate": "2026-10-31",
        "medfee_sumamt": 20_199.00,
        "fund_pay_sumamt": "12000.00",
        "acct_pay": 0,
        "fixmedins_setl_cnt": 200,
    } | changes
    return orjson.dumps({"infno": "3201", "fixmedins_code": FIRST, "input": {"data": data}})


def test_totals_of_the_platform_are_compared_to_the_fen(world: Inspected, tmp_path: Path) -> None:
    path = tmp_path / "3201.jsonl"
    path.write_bytes(message(medfee_sumamt="20199.00") + b"\n")
    report = check(world, totals=path)
    assert [(one.measure, one.platform == one.recorded) for one in report.totals] == [
        ("medfee_sumamt", True),
        ("fund_pay_sumamt", True),
        ("acct_pay", True),
        ("fixmedins_setl_cnt", True),
    ]
    path.write_bytes(message(fund_pay_sumamt="12000.01", fixmedins_setl_cnt=201) + b"\n")
    report = check(world, totals=path)
    assert checks(report) == [Check.TOTAL, Check.TOTAL]
    assert "the platform has 1200001, the records give 1200000" in report.findings[0].detail


def test_totals_of_another_institution_say_nothing_of_this_node(
    world: Inspected, tmp_path: Path
) -> None:
    path = tmp_path / "3201.jsonl"
    other = message().replace(FIRST.encode(), b"H33030299999")
    path.write_bytes(other + b"\n")
    report = check(world, totals=path)
    assert (report.findings, report.totals, report.foreign_totals) == ((), (), 1)
    assert WITHOUT_TOTALS in report.cannot_show
    path.write_bytes(other + b"\n" + message(medfee_sumamt="20199.00") + b"\n")
    report = check(world, totals=path)
    assert (report.verdict, len(report.totals), report.foreign_totals) == (Verdict.AGREES, 4, 1)


def test_a_node_cannot_disown_an_institution_that_it_stated_of(
    world: Inspected, tmp_path: Path
) -> None:
    world.disown(FIRST)
    path = clearing_file(tmp_path / "cleared.csv", range(201))
    report = check(world, sample=300, clearing=path)
    assert checks(report) == [Check.HIDDEN]
    assert report.clearing is not None
    assert report.clearing.foreign == 0


def test_two_clearing_types_of_the_same_days_are_one_total(
    world: Inspected, tmp_path: Path
) -> None:
    parts = {"medfee_sumamt": "", "acct_pay": ""}
    one = message(fund_pay_sumamt="2000.00", fixmedins_setl_cnt=20, **parts)
    other = message(fund_pay_sumamt="10000.00", fixmedins_setl_cnt=180, clr_type="21", **parts)
    path = tmp_path / "3201.jsonl"
    path.write_bytes(one + b"\n" + other + b"\n")
    assert check(world, totals=path).findings == ()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"{", "no JSON object"),
        (b"[]", "no message of 3201"),
        (b'{"infno": "2207"}', "no message of 3201"),
        (b'{"infno": "3201"}', "lacks fixmedins_code"),
        (message(stmt_begndate="never"), "expected a day"),
        (message(stmt_enddate="2026-09-01"), "before it begins"),
        (message(fixmedins_setl_cnt="-1"), "expected a number"),
        (message(medfee_sumamt="1.999"), "no amount"),
        (b"", "holds no message"),
    ],
)
def test_totals_that_are_none_are_refused(tmp_path: Path, line: bytes, wanted: str) -> None:
    path = tmp_path / "3201.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(IntakeFileError, match=wanted):
        read_totals(path)
