"""Injected cases: the same order writes the same, the truth is whole, and it is in the messages."""

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.errors import SimulationError
from deploy.protos import REPOSITORY
from deploy.simulation.cli import app
from deploy.simulation.injected.recall import Found, measure_recall, read_truth
from deploy.simulation.injected.truth import Injected
from deploy.simulation.recalling import message_ids
from deploy.simulation.simulate import Order, simulate
from node.api.his.encounters import read_asked
from node.app import init_node
from scoring_kernel import load_catalog
from tests.support.node_messages import open_store
from tests.unit.deploy.simulation.conftest import Written, quiet

ORDER = Order(institutions=20, claims=600, seed=7, periods=("2026H1",), cases=True)
RULES = [f"M{number:02d}" for number in range(1, 42)] + [
    f"W{number:02d}" for number in range(1, 12)
]
LEAST = 3
CATALOG = load_catalog()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("cases") / "out"
    return Written(out=out, manifest=simulate(ORDER, out, quiet))


def truth(cases: Written) -> tuple[Injected, ...]:
    return read_truth(cases.rows("rule_truth.csv"))


def requests(cases: Written) -> Iterator[dict[str, Any]]:
    for path in sorted(cases.out.glob("requests/*.jsonl")):
        yield from map(orjson.loads, path.read_bytes().splitlines())


def patient(request: dict[str, Any]) -> dict[str, Any]:
    (found,) = request["input"]["data"]["patient_dtos"]
    assert isinstance(found, dict)
    return found


def digests(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_the_same_order_writes_the_same_bytes(cases: Written, tmp_path: Path) -> None:
    simulate(ORDER, tmp_path / "again", quiet)
    assert digests(tmp_path / "again") == digests(cases.out)


def test_every_rule_and_warning_has_cases_and_near_misses(cases: Written) -> None:
    counts = Counter((one.rule, one.kind) for one in truth(cases) if one.rule)
    assert sorted({rule for rule, _ in counts}) == RULES
    lacking = [
        (rule, kind)
        for rule in RULES
        for kind in ("case", "near_miss")
        if counts[rule, kind] < LEAST
    ]
    assert lacking == []


def test_what_the_truth_names_is_in_the_messages_or_the_questions(cases: Written) -> None:
    text = b"".join(path.read_bytes() for path in cases.out.glob("messages/*/*.jsonl")).decode()
    asked = Counter(patient(one)["curr_mdtrt_id"] for one in requests(cases))
    for one in truth(cases):
        assert one.institution in text, one
        if one.rule.startswith("W"):
            assert asked[one.mdtrt_id] == 1, one
            assert one.mdtrt_id not in text, "it is asked about before it is a visit"
        elif one.mdtrt_id:
            assert one.mdtrt_id in text, one
        if one.rule:
            assert one.mdtrt_id or one.key, one
    assert sum(asked.values()) == sum(one.rule.startswith("W") for one in truth(cases))


def test_questions_can_be_read_whole_and_each_is_its_own(cases: Written) -> None:
    sent = {one["request"]["msgid"] for one in cases.exchanges()}
    numbers = []
    for request in requests(cases):
        found = read_asked(request["infno"], request["input"], request["fixmedins_code"], now=0)
        assert found.faults == []
        (encounter,) = found.encounters
        assert encounter.fund_fen is not None
        assert all(order.amount_fen >= order.inscp_fen > 0 for order in encounter.orders)
        numbers.append(request["msgid"])
        fields = CATALOG.transactions[request["infno"]].fields[("request", "fsi_order_dtos")]
        most = {one.name: one.length for one in fields if one.type == "string" and one.length}
        for order in patient(request)["fsi_encounter_dtos"][0]["fsi_order_dtos"]:
            assert all(len(order.get(name, "")) <= length for name, length in most.items()), order
    assert len(set(numbers)) == len(numbers)
    assert not sent & set(numbers)


def test_questions_and_registers_lie_with_the_node_that_has_the_past(cases: Written) -> None:
    custody = {
        path.stem: {line.split(",")[0] for line in path.read_text("utf-8").splitlines()[1:]}
        for path in cases.out.glob("custody/*.csv")
    }
    for path in cases.out.glob("requests/*.jsonl"):
        asked = {orjson.loads(line)["fixmedins_code"] for line in path.read_bytes().splitlines()}
        assert asked <= custody[path.stem]
    for path in cases.out.glob("registers/*/*.csv"):
        rows = cases.rows(path.relative_to(cases.out).as_posix())
        assert {row["institution"] for row in rows} <= custody[path.parent.name]


def test_nobody_of_a_case_is_seen_in_the_rest_of_the_city(cases: Written, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    simulate(replace(ORDER, cases=False), plain, quiet)
    text = b"".join(path.read_bytes() for path in plain.glob("messages/*/*.jsonl")).decode()
    injected = {patient(one)["patn_id"] for one in requests(cases)}
    assert injected
    assert not [person for person in injected if person in text]


def test_visits_of_misconduct_are_no_clean_ones(cases: Written) -> None:
    noted = [one for one in truth(cases) if one.kind == "misconduct"]
    assert noted
    assert all(one.mdtrt_id and not one.rule for one in noted)
    stated = cases.manifest["periods"]["2026H1"]["misconduct"]
    assert Counter(one.note for one in noted) == stated


def test_the_simulation_imports_nothing_from_the_rules() -> None:
    folder = REPOSITORY / "deploy" / "simulation"
    outside = ("scoring_kernel.rules", "node")
    for path in [*folder.glob("injected/*.py"), *folder.glob("*.py")]:
        if path.stem in {"recalling", "recall_command"}:
            continue  # They ask a node; the simulation does not.
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match statement:
                case ast.ImportFrom(module=str(module)):
                    names = [module]
                case ast.Import(names=aliases):
                    names = [alias.name for alias in aliases]
                case _:
                    continue
            assert not [name for name in names if f"{name}.".startswith(
                tuple(f"{one}." for one in outside))], path  # fmt: skip


def test_a_city_too_small_for_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="20 institutions or more"):
        simulate(replace(ORDER, institutions=6, claims=120), tmp_path / "city", quiet)
    assert not (tmp_path / "city").exists()


def injected(kind: str, mdtrt_id: str, rule: str = "M01", **told: Any) -> Injected:  # noqa: ANN401  # any column
    columns = {"institution": "H1", "key": "", "amount_fen": None, "note": "", **told}
    return Injected(rule=rule, kind=kind, mdtrt_id=mdtrt_id, **columns)


def hit(visit: str, rule: str = "M01", amount_fen: int = 100, key: str = "X") -> Found:
    return Found(rule=rule, institution="H1", visits=(visit,), keys=(key,), amount_fen=amount_fen)


def test_recall_tells_found_missed_and_every_sort_of_false_alarm() -> None:
    known = (
        injected("case", "V1", amount_fen=100),
        injected("case", "V2", amount_fen=300),
        injected("case", "V3", key="Y"),
        injected("near_miss", "V4"),
        injected("case", "V5", rule="M02"),
        injected("misconduct", "V6", rule=""),
    )
    hits = [hit(visit) for visit in ("V1", "V2", "V3", "V4", "V5", "V6", "V7")]
    one, other = measure_recall(known, hits)
    assert (one.rule, one.cases, one.found, one.wrong_amounts) == ("M01", 3, 2, 1)
    assert [missed.mdtrt_id for missed in one.missed] == ["V3"]
    assert (one.near_misses, one.near_hits) == (1, 1)
    assert [alarm.visits for alarm in one.false_alarms] == [("V4",), ("V7",)]
    assert (one.clean_hits, one.other_hits) == (2, 3)
    assert (other.rule, other.found, other.recall) == ("M02", 0, 0.0)


def test_questions_of_one_second_never_share_a_message_id() -> None:
    asked = [f"H33030200001{second}0000" for second in (20260318094000, 20260318094001) * 3]
    asked += [f"H3303020000220260318094000{number:04d}" for number in (0, 1, 7)]
    tries = [[next(own) for _ in range(300)] for own in message_ids(asked)]
    flat = [one for own in tries for one in own]
    assert len(set(flat)) == len(flat)
    assert all(re.fullmatch(r"[HP]\d{11}\d{14}\d{4}", one) for one in flat)
    assert [own[0][:-4] for own in tries] == [one[:-4] for one in asked]
    again = [next(own) for own in message_ids(asked)]
    assert again == [own[0] for own in tries], "asked again, a question has the same id"


def test_of_no_case_no_recall_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    init_node(tmp_path / "node", ["H33030200001"])
    hit_only = "rule,kind,institution,mdtrt_id,key,amount_fen,note\n"
    rows = "M01,near_miss,H33030200001,V1,,,near\nM02,case,H33030200001,V2,,,missed\n"
    (tmp_path / "rule_truth.csv").write_text(hit_only + rows, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "120")
    told = CliRunner().invoke(app, ["recall", str(tmp_path), str(tmp_path / "node")])
    assert told.exit_code == 0, told.output
    line, other = (
        [cell.strip() for cell in one.split("│")]
        for one in told.output.splitlines()
        if "M01" in one or "M02  " in one
    )
    assert line[1:4] == ["M01", "0/0", "—"]
    assert other[1:4] == ["M02", "0/1", "0%"]
    assert "0 of 1 case found; hit besides: 0 near misses, 0 clean visits." in told.output


def test_there_is_no_comparison_without_a_truth_or_a_node(tmp_path: Path) -> None:
    def told(*more: str) -> Result:
        return CliRunner().invoke(app, ["recall", str(tmp_path), str(tmp_path / "node"), *more])

    absent = told()
    assert absent.exit_code == 3
    assert "holds no node" in absent.output
    open_store(tmp_path / "node").close()
    without = told()
    assert without.exit_code == 2
    assert "simulate a city with --cases" in without.output
    (tmp_path / "rule_truth.csv").write_text("rule,kind\n", encoding="utf-8")
    other = told()
    assert other.exit_code == 2
    assert "has not the columns" in other.output


def test_an_address_that_does_not_answer_ends_the_comparison(
    cases: Written, tmp_path: Path
) -> None:
    lines = (cases.out / "custody" / "county.csv").read_text("utf-8").splitlines()[1:]
    init_node(tmp_path / "node", [line.split(",")[0] for line in lines])
    arguments = ["recall", str(cases.out), str(tmp_path / "node"), "--url"]
    silent = CliRunner().invoke(app, [*arguments, "http://127.0.0.1:9"])
    assert silent.exit_code == 2
    assert "gave no answer" in silent.output
    strange = CliRunner().invoke(app, [*arguments, "ftp://127.0.0.1"])
    assert strange.exit_code == 2
    assert "expected one like" in strange.output
    alone = CliRunner().invoke(app, [*arguments[:-1], "--json"])
    assert alone.exit_code == 0, alone.output
    found = orjson.loads(alone.stdout)["rules"]
    assert [one["rule"] for one in found] == [rule for rule in RULES if rule[0] == "M"]
    assert {one["found"] for one in found} == {0}
