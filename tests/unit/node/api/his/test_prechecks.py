"""3101 and 3102 from the call to the answer: told, kept, and never in the till's way."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from node.domain.official_answers import MAX_MESSAGE
from node.errors import ConfigurationError
from node.supervision_settings import SupervisionSettings
from scoring_kernel.rules.live import charges
from tests.support.live_checks import (
    FEMALE_DRUG,
    Checks,
    Ticks,
    encounter,
    knowledge_json,
    order,
    request,
)
from tests.support.node_messages import HOSPITAL, SHARED
from tests.support.rule_facts import RuleFacts, short_code

LIMITED = {"k_drug_gender": [{"code": FEMALE_DRUG, "gender": "2"}]}
PRESENT = {
    "person": "P1",
    "at": "2026-03-18 09:40:00",
    "place": "window",
    "result": "match",
    "score_e4": 9_500,
}


def facts(**case: Any) -> RuleFacts:  # noqa: ANN401 - of a case
    return RuleFacts.of({"persons": {"P1": {"gender": "1"}}, "knowledge": LIMITED, **case})


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[Checks]:
    with Checks(tmp_path, facts(records={"identity_event": [PRESENT]})) as opened:
        yield opened


def limited(**changes: object) -> dict[str, Any]:
    return order(rx_id="RX2", hilist_code=FEMALE_DRUG, hilist_name="艾附暖宫丸", **changes)


def test_the_sample_gets_the_answer_of_the_sample(checks: Checks) -> None:
    paths = [SHARED / f"domain/samples/3101_{part}.json" for part in ("req", "resp")]
    if not all(path.exists() for path in paths):
        pytest.skip("the samples are not here")
    asked, expected = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    (sample,) = expected["output"]["result"]
    (found,) = checks.ask(asked).output["result"]
    assert set(found) - set(sample) == {"warn_id", "answer"}
    same = ("rule_id", "rule_name", "patn_id", "mdtrt_id", "vola_amt", "vola_amt_stas", "sev_deg")
    for name in (*same, "vola_bhvr_type", "task_id"):
        assert found[name] == sample[name], name
    assert sample["vola_cont"].replace("药品", "") in found["vola_cont"].replace("药品", "")
    (detail,), (stated,) = found["judge_result_detail_dtos"], sample["judge_result_detail_dtos"]
    assert set(detail) == set(stated)
    assert {**detail, "jrd_id": ""} == {**stated, "jrd_id": ""}


def test_what_is_told_is_kept_and_nothing_else(checks: Checks) -> None:
    told = checks.ask(request(encounter(order(), limited())))
    silent = checks.ask(request(encounter(order())))
    assert silent.output == {"result": []}
    assert (silent.kept, silent.words, told.words) == (None, "", "")
    kept = orjson.loads(told.kept or b"")
    assert kept["response"]["output"] == told.output
    assert kept["request"]["input"]["data"]["trig_scen"] == "2"


def test_the_same_call_again_gets_the_same_answer(checks: Checks) -> None:
    asked = request(encounter(limited()))
    first = checks.ask(asked)
    checks.writer.begin_again()
    assert checks.ask(asked) is first


def test_ids_of_warnings_fit_and_differ(checks: Checks) -> None:
    result = checks.ask(request(encounter(limited()), encounter(limited()))).output["result"]
    ids = [one["jr_id"] for one in result]
    assert ids == [f"{ids[0][:30]}-W08-1", f"{ids[0][:30]}-W08-2"]
    details = [one["judge_result_detail_dtos"][0]["jrd_id"] for one in result]
    assert max(map(len, ids + details)) <= 50


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request(encounter(order()), trigger="99"), "trig_scen"),
        (request(encounter(order()), trigger=""), "trig_scen"),
        (request(encounter(order(cnt="x"))), "unreadable: patient_dtos[0]"),
        (request(encounter(*[order()] * 10_000)), "too many"),
        (request(data={"patient_dtos": {"a": []}}), "nothing could be read"),
        (request(data={"patient_dtos": 7}), "nothing could be read"),
    ],
    ids=range(6),
)
def test_what_cannot_be_judged_passes_and_says_so(
    checks: Checks, asked: dict[str, Any], words: str
) -> None:
    answer = checks.ask(asked)
    assert answer.output == {"result": []}
    assert answer.words.startswith("未判定")
    assert words in answer.words
    assert len(answer.words) <= MAX_MESSAGE
    assert checks.judging.take_counts()["not_judged"] == 1


@pytest.mark.parametrize(
    "head",
    [
        {"fixmedins_code": "H33030200099"},
        {"msgid": "x"},
        {"inf_time": "2036-03-18 09:50:39"},
        {"input": []},
    ],
    ids=["institution", "msgid", "moment", "input"],
)
def test_a_head_of_no_message_is_left_to_the_intake(checks: Checks, head: dict[str, Any]) -> None:
    asked = {**request(encounter(order())), **head}
    assert checks.checks.find_answer(asked, orjson.dumps(asked)) is None


def test_only_the_rules_that_are_asked_for(checks: Checks) -> None:
    assert checks.rules(request(encounter(limited()), data={"rule_ids": ["M05"]})) == []
    assert checks.rules(request(encounter(limited()), data={"rule_ids": ["M01"]})) == ["M01"]
    alone = request(encounter(limited()), trigger="", data={"rule_ids": ["W08"]})
    assert checks.rules(alone) == ["M01"]


def test_orders_of_before_are_not_warned_again(checks: Checks) -> None:
    assert checks.rules(request(encounter(limited(curr_drord_flag="0")))) == []


def test_settings_choose_what_a_warning_answers(tmp_path: Path) -> None:
    answers = {"W08": "block", "W02": "off"}
    suspended = {"agreement_status": [{"institution": "H1", "status": "suspended"}]}
    settings = SupervisionSettings(answers=answers)
    with Checks(tmp_path, facts(records=suspended), settings=settings) as checks:
        (found,) = checks.ask(request(encounter(limited()))).output["result"]
    assert (found["warn_id"], found["answer"], found["sev_deg"]) == ("W08", "block", "1")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"M01": "block"}, [("M01", "block"), ("M03", "warn")]),
        ({"M01": "warn", "W08": "block"}, [("M01", "warn"), ("M03", "block")]),
        ({"M01": "off"}, [("M03", "warn")]),
        ({"M03": "block", "W08": "off"}, [("M03", "block")]),
        ({"M01": "off", "W08": "off"}, []),
    ],
)
def test_rules_of_the_limits_answer_each_by_itself(
    answers: dict[str, str], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    case = facts()
    case.knowledge["k_drug_child"] = [{"code": FEMALE_DRUG, "stage": "child"}]
    with Checks(tmp_path, case, settings=SupervisionSettings(answers=answers)) as checks:
        found = checks.ask(request(encounter(limited()))).output["result"]
    assert sorted((one["rule_id"], one["answer"]) for one in found) == expected


def test_settings_name_no_rule_of_another_warning() -> None:
    with pytest.raises(ConfigurationError, match=r"'M20'.*M01 to M07"):
        SupervisionSettings(answers={"M20": "block"})


def test_a_fault_of_a_rule_does_not_fall_on_the_others(
    checks: Checks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("张示例")

    monkeypatch.setattr(charges, "_days", fail)
    case = facts()
    case.knowledge["k_item_freq"] = [{"code": "0012", "day_limit": 1, "hourly": False}]
    case.knowledge["k_daily_items"] = [{"code": "0012", "kind": "bed"}]
    checks.writer.note_knowledge(b"2", knowledge_json(case.knowledge))
    stay = encounter(order(hilist_code="0012", cnt=9), adm_date="2026-03-16 09:00:00")
    answer = checks.ask(request(stay, infno="3102", trigger="9"))
    assert [one["rule_id"] for one in answer.output["result"]] == ["M22"]
    assert "M10 | a fault of this program" in answer.words
    assert "张示例" not in caplog.text + answer.words
    assert "KeyError at test_prechecks.py" in caplog.text
    assert checks.judging.take_counts()["faults"] == 1


def test_a_fault_beyond_the_rules_passes_too(
    checks: Checks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("node.api.his.prechecks.read_asked", lambda *_: 1 / 0)
    answer = checks.ask(request(encounter(order())))
    assert answer.output == {"result": []}
    assert "a fault of this program" in answer.words
    assert "ZeroDivisionError" in caplog.text


def test_beyond_the_budget_nothing_is_judged(tmp_path: Path) -> None:
    settings = SupervisionSettings(budget_ms=10)
    with Checks(tmp_path, facts(), settings=settings, ticks=Ticks(step=0.02)) as checks:
        answer = checks.ask(request(encounter(limited())))
    assert answer.output == {"result": []}
    assert "the time is up" in answer.words


@pytest.mark.parametrize("is_damaged", [True, False])
def test_without_a_state_only_the_call_itself_is_judged(
    tmp_path: Path, *, is_damaged: bool
) -> None:
    with Checks(tmp_path, facts(), is_fed=False) as checks:
        if is_damaged:
            checks.writer.close()
            for path in tmp_path.glob("live.db*"):
                path.write_bytes(b"no database")
        answer = checks.ask(request(encounter(limited())))
    # What was imported is in the state too; without it what is shipped holds.
    assert [one["rule_id"] for one in answer.output["result"]] == ([] if is_damaged else ["M01"])
    assert answer.words.startswith("未判定")
    assert "M20,M41,W01,W02 | the live state is not ready" in answer.words


def test_a_state_that_is_fed_no_more_is_not_used(tmp_path: Path) -> None:
    ticks = Ticks()
    with Checks(tmp_path, facts(), ticks=ticks) as checks:
        assert checks.ask(request(encounter(order()))).words == ""
        ticks.now = 59
        assert checks.ask(request(encounter(order()))).words == ""
        ticks.now = 61.5
        assert "未判定" in checks.ask(request(encounter(order()))).words
        checks.writer.note_fed(2)
        ticks.now = 63
        assert checks.ask(request(encounter(order()))).words == ""


@pytest.mark.parametrize("closed", [True, False])
def test_identity_fails_closed_where_that_is_set(tmp_path: Path, *, closed: bool) -> None:
    settings = SupervisionSettings(identity_closed=closed)
    with Checks(tmp_path, facts(), settings=settings, is_fed=False) as checks:
        answer = checks.ask(request(encounter(), trigger="1"))
        silent = checks.ask(request(encounter(), trigger="2"))
        unread = checks.ask(request(data={"patient_dtos": []}, trigger="1"))
    found = [(one["rule_id"], one["answer"]) for one in answer.output["result"]]
    assert found == ([("W04", "block")] if closed else [])
    assert [one["rule_id"] for one in unread.output["result"]] == (["W04"] if closed else [])
    assert silent.output == {"result": []}


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        (SupervisionSettings(), "warn"),
        (SupervisionSettings(identity_closed=True), "block"),
        (SupervisionSettings(identity_closed=True, answers={"W04": "warn"}), "warn"),
    ],
    ids=["open", "closed", "closed, but named"],
)
@pytest.mark.parametrize("result", ["match", "mismatch"])
def test_who_was_not_verified_is_blocked_where_identity_is_closed(
    tmp_path: Path, settings: SupervisionSettings, answer: str, result: str
) -> None:
    known = facts(records={"identity_event": [{**PRESENT, "result": result}]})
    with Checks(tmp_path, known, settings=settings) as checks:
        found = checks.ask(request(encounter(), trigger="1")).output["result"]
        other = request(encounter(), trigger="1", person=short_code("P2"))
        never = checks.ask(other).output["result"]
    assert {one["answer"] for one in found} == (set() if result == "match" else {answer})
    assert [one["answer"] for one in never] == [answer]


def test_identity_is_judged_where_the_state_knows(checks: Checks) -> None:
    assert checks.rules(request(encounter(), trigger="1")) == []
    other = request(encounter(), trigger="1", person=short_code("P2"))
    assert checks.rules(other) == ["W04"]


EMERGENCIES = ("13", "120", "210104")


@pytest.mark.parametrize("med_type", EMERGENCIES)
@pytest.mark.parametrize(("infno", "trigger"), [("3101", "1"), ("3101", "3"), ("3102", "6")])
def test_an_emergency_is_never_blocked_for_its_identity(
    tmp_path: Path, med_type: str, infno: str, trigger: str
) -> None:
    settings = SupervisionSettings(identity_closed=True, answers={"W04": "block"})
    failed = {**PRESENT, "result": "mismatch"}
    asked = request(encounter(med_type=med_type), infno=infno, trigger=trigger)
    other = request(encounter(med_type="11"), infno=infno, trigger=trigger)
    for is_fed in (True, False):
        directory = tmp_path / str(is_fed)
        directory.mkdir()
        known = facts(records={"identity_event": [failed]})
        with Checks(directory, known, settings=settings, is_fed=is_fed) as checks:
            assert [one["rule_id"] for one in checks.ask(asked).output["result"]] == []
            (found,) = checks.ask(other).output["result"]
            assert found["answer"] == "block"


def test_an_emergency_is_not_blocked_when_the_judge_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SupervisionSettings(identity_closed=True)
    with Checks(tmp_path, facts(), settings=settings) as checks:

        def fail(_asked: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(checks.judging, "judge", fail)
        both = request(encounter(med_type="13"), encounter(med_type="11"), trigger="1")
        (found,) = checks.ask(both).output["result"]
        assert (found["rule_id"], found["answer"]) == ("W04", "block")
        assert "急诊抢救先行救治" in str(found)
        urgent = checks.ask(request(encounter(med_type="13"), trigger="1"))
        assert urgent.output == {"result": []}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"result": "match", "score_e4": 4_650, "threshold_e4": 4_650}, []),
        ({"result": "match", "score_e4": 4_649, "threshold_e4": 4_650}, ["M35"]),
        ({"result": "match", "score_e4": 3_000}, []),
        ({"result": "unjudged", "score_e4": 9_900}, ["W04"]),
        ({"result": "absent", "reason_code": "voucher", "override_reason": "出示医保码"}, []),
    ],
)
def test_identity_is_held_against_the_calibrated_threshold(
    tmp_path: Path, event: dict[str, Any], found: list[str]
) -> None:
    told = {**{key: PRESENT[key] for key in ("person", "at", "place")}, **event}
    with Checks(tmp_path, facts(records={"identity_event": [told]})) as checks:
        assert checks.rules(request(encounter(), trigger="1")) == found


def test_knowledge_that_changes_is_taken_up(checks: Checks) -> None:
    assert checks.rules(request(encounter(limited()))) == ["M01"]
    checks.writer.note_knowledge(b"2", orjson.dumps({}))
    checks.ticks.now += 2  # type: ignore[attr-defined]  # the fixture's clock
    assert checks.rules(request(encounter(limited()))) == []


def test_a_reader_goes_on_with_a_state_that_was_made_anew(checks: Checks) -> None:
    assert checks.reader.is_built
    checks.writer.begin_again()
    checks.reader.look()
    assert not checks.reader.is_built


def test_another_institution_s_lines_are_not_named(tmp_path: Path) -> None:
    case = facts(
        visits={"V1": {"person": "P1", "institution": "H2", "begins": "2026-03-18 08:00"}},
        lines=[{"visit": "V1", "item": "001202000010000", "count": 1, "amount": 10}],
    )
    case.knowledge["k_item_freq"] = [{"code": "001202000010000", "day_limit": 1, "hourly": False}]
    with Checks(tmp_path, case) as checks:
        asked = request(
            encounter(order(hilist_code="001202000010000", hilist_type="201")),
            infno="3102",
            trigger="7",
        )
        (found,) = checks.ask(asked).output["result"]
    assert found["rule_id"] == "M10"
    assert [one["rx_id"] for one in found["judge_result_detail_dtos"]] == ["RX1"]
    assert HOSPITAL not in json.dumps(found).replace(asked["msgid"], "")
