"""The 489 indicators: which they are, and how one is derived."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.supervision import Monthly, Peers, SetRows, indicators_of
from scoring_kernel.supervision.evaluation import months_needed
from scoring_kernel.supervision.formulas import Nothing
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.outcomes import (
    EMPTY,
    NO_BASE,
    NO_PEERS,
    NO_RECORDS,
    NOT_COUNTED,
    NOT_STATED,
    ZERO_BASE,
    Outcome,
    Reason,
)
from scoring_kernel.supervision.telling import told_indicators

SUPERVISION = load_supervision()
UNITS = load_catalog().units
LIST = Path(__file__).resolve().parents[4].parent / "shared" / "domain" / "indicators.csv"
KINDS = {"机构": "institution", "医师": "physician", "参保人": "person", "药店": "pharmacy"}
KINDS |= {"药品/项目": "item", "区域": "region"}
LETTERS = {"C": "value", "Y": "yoy", "M": "mom", "Z": "z"}
MARCH = 202603


def test_there_are_489_of_122_bases_and_one() -> None:
    counts = {name: len(of.bases) for name, of in SUPERVISION.indicators.items()}
    assert counts == {
        "institution": 40,
        "physician": 24,
        "person": 22,
        "pharmacy": 21,
        "item": 15,
        "region": 1,
    }
    assert SUPERVISION.indicator_ids == tuple(f"I{number:03d}" for number in range(1, 490))


def test_they_are_those_of_the_list() -> None:
    if not LIST.exists():
        pytest.skip(f"{LIST} is not here")
    with LIST.open(encoding="utf-8-sig") as file:
        listed = {
            row["id"]: (KINDS[row["subject"]], row["measure_zh"], LETTERS[row["kind"]])
            for row in csv.DictReader(file)
        }
    ours = {
        name: (subject, base.name_zh, derivation)
        for subject, of in SUPERVISION.indicators.items()
        for base in of.bases
        for derivation, name in base.ids.items()
    }
    assert ours == listed


def test_what_nobody_has_says_so_in_words() -> None:
    nothing = {
        base.id: base.formula.reason
        for of in SUPERVISION.indicators.values()
        for base in of.bases
        if isinstance(base.formula, Nothing)
    }
    assert len(nothing) == 13
    assert "DRG" in nothing["I109"].zh
    assert not nothing.keys() & {"I025", "I049", "I237", "I357"}
    assert all(reason.zh and reason.en for reason in nothing.values())


def month(**institutions: dict[str, int]) -> SetRows:
    """Rows of ``care``: measures by institution, 0 where none is given."""
    names = [measure.id for measure in SUPERVISION.sets["care"].measures]
    return SetRows(
        keys={"institution": np.array(list(institutions), np.str_)},
        columns={
            name: np.array([one.get(name, 0) for one in institutions.values()], np.int64)
            for name in names
        },
    )


def derive(
    monthly: Monthly, *, groups: dict[str, str] | None = None, least: int = 5
) -> dict[tuple[str, str], Outcome]:
    peers = Peers(groups=groups or {}, least=least)
    of = SUPERVISION.indicators["institution"]
    table = indicators_of(of, SUPERVISION.sets, monthly, MARCH, peers)
    return {
        (row.base.ids[derivation], name): outcomes[at]
        for row in table.rows
        for derivation, outcomes in row.outcomes.items()
        for at, name in enumerate(table.subjects)
    }


def test_value_year_and_month_before() -> None:
    found = derive(
        {
            "care": {
                202503: month(H1={"settlements": 8, "persons": 4}),
                202602: month(H1={"settlements": 12, "persons": 5}),
                MARCH: month(H1={"settlements": 9, "persons": 6}),
            }
        }
    )
    assert [found[f"I{one:03d}", "H1"] for one in (1, 2, 3)] == [9_000_000, 125_000, -250_000]
    # 9 / 6 = 1.5, against 2 and 2.4.
    assert [found[f"I{one:03d}", "H1"] for one in (9, 10, 11)] == [1_500_000, -250_000, -375_000]
    assert found["I004", "H1"] == NO_PEERS


def test_peers_are_those_of_level_and_type() -> None:
    fees = {"H1": 100, "H2": 110, "H3": 120, "H4": 130, "H5": 900, "H9": 5}
    rows = month(**{name: {"settlements": 1, "medfee_fen": fee} for name, fee in fees.items()})
    groups = dict.fromkeys(list(fees)[:5], "3/general") | {"H9": "0/primary"}
    found = derive({"care": {MARCH: rows}}, groups=groups)
    # Median 1.20 yuan, MAD 0.10 yuan: (9.00 - 1.20) / 0.14826.
    assert found["I024", "H5"] == 52_610_279
    assert found["I024", "H3"] == 0
    assert found["I024", "H9"] == NO_PEERS


def test_every_missing_number_has_its_reason() -> None:
    found = derive(
        {"care": {202503: month(H1={"settlements": 0}), MARCH: month(H1={"settlements": 3})}}
    )
    assert found["I002", "H1"] == ZERO_BASE
    assert found["I003", "H1"] == NO_BASE
    assert found["I041", "H1"] == EMPTY
    assert found["I077", "H1"] == NOT_COUNTED
    reason = found["I109", "H1"]
    assert isinstance(reason, Reason)
    assert reason.zh == "没有 DRG 分组结果与权重"
    assert found["I110", "H1"] == reason


def test_what_some_settlements_do_not_say_is_no_number() -> None:
    both = month(
        H1={"settlements": 3, "medfee_fen": 1000, "pooled_fen": 650, "own_fen": 125},
        H2={"settlements": 3, "medfee_fen": 1000, "pooled_fen": 650, "pooled_untold": 1},
    )
    found = derive({"care": {MARCH: both}})
    # 6.50 yuan; 1.25 of 10.00 yuan.
    assert (found["I025", "H1"], found["I049", "H1"]) == (6_500_000, 125_000)
    reason = found["I025", "H2"]
    assert isinstance(reason, Reason)
    assert "hifp_pay" in reason.zh
    assert found["I049", "H2"] == 0


def test_a_set_without_a_row_of_the_subject_is_no_zero() -> None:
    stays = SUPERVISION.sets["stay"]
    rows = SetRows(
        keys={"institution": np.array(["H2"], np.str_)},
        columns={measure.id: np.array([4], np.int64) for measure in stays.measures},
    )
    both = month(H1={"settlements": 3}, H2={"settlements": 3})
    found = derive({"care": {MARCH: both}, "stay": {MARCH: rows}})
    assert found["I137", "H1"] == NO_RECORDS
    assert found["I137", "H2"] == 1_000_000


def test_what_an_institution_has_not_stated_is_no_zero_either() -> None:
    both = month(H1={"settlements": 3}, H2={"settlements": 4})
    hits = SetRows(
        keys={"institution": np.array(["H1"], np.str_)},
        columns={
            measure.id: np.array([0], np.int64) for measure in SUPERVISION.sets["hit"].measures
        },
    )
    table = indicators_of(
        SUPERVISION.indicators["institution"],
        SUPERVISION.sets,
        {"care": {MARCH: both}, "hit": {MARCH: hits}},
        MARCH,
        Peers(groups={}, least=5),
        stated={"care": {MARCH: frozenset({"H1", "H2"})}, "hit": {MARCH: frozenset({"H1"})}},
    )
    told = {one["subject"]: one for one in told_indicators(table, UNITS, only=["I153"])}
    assert (told["H1"]["value"], told["H1"]["reason_zh"]) == ("0.0000", None)
    assert (told["H2"]["value"], told["H2"]["reason_zh"]) == (None, NOT_STATED.zh)


def test_the_growth_of_all_is_shared_by_those_too_who_are_gone() -> None:
    item = SUPERVISION.sets["item_use"]

    def rows(**amounts: int) -> SetRows:
        keys = {"item": np.array(list(amounts), np.str_)}
        keys["institution"] = np.array(["H1"] * len(amounts), np.str_)
        columns = {measure.id: np.array([1] * len(amounts), np.int64) for measure in item.measures}
        columns["amount_fen"] = np.array(list(amounts.values()), np.int64)
        return SetRows(keys=keys, columns=columns)

    monthly = {"item_use": {202602: rows(X1=100, X2=300), MARCH: rows(X1=700, X3=100)}}
    table = indicators_of(
        SUPERVISION.indicators["item"],
        SUPERVISION.sets,
        monthly,
        MARCH,
        Peers(groups={}, least=5),
    )
    told = {one["subject"]: one["value"] for one in told_indicators(table, UNITS, only=["I457"])}
    # +600, -300 and +100 of +400 in all.
    assert told == {"X1": "1.5000", "X3": "0.2500"}


def test_a_year_is_whole_or_nothing() -> None:
    patient = SUPERVISION.sets["patient"]

    def rows(fee: int) -> SetRows:
        columns = {measure.id: np.array([1], np.int64) for measure in patient.measures}
        columns["medfee_fen"] = np.array([fee], np.int64)
        return SetRows(keys={"person": np.array(["a"], np.str_)}, columns=columns)

    of = SUPERVISION.indicators["person"]
    peers = Peers(groups={}, least=5)
    monthly = {"patient": {one: rows(100) for one in (202601, 202602, MARCH)}}
    whole = indicators_of(of, SUPERVISION.sets, monthly, MARCH, peers)
    told = {one["id"]: one for one in told_indicators(whole, UNITS)}
    assert (told["I273"]["value"], told["I275"]["value"]) == ("3.00", "0.5000")
    assert told["I274"]["reason_zh"] == NO_BASE.zh
    del monthly["patient"][202601]
    partly = indicators_of(of, SUPERVISION.sets, monthly, MARCH, peers)
    missing = {one["id"]: one["reason_zh"] for one in told_indicators(partly, UNITS)}
    assert missing["I273"] == NOT_COUNTED.zh


def test_the_drug_that_a_person_holds_most_of() -> None:
    supply = SUPERVISION.sets["supply"]

    def rows(*held: tuple[str, str, int]) -> SetRows:
        columns = {measure.id: np.array([1] * len(held), np.int64) for measure in supply.measures}
        columns["supply_days"] = np.array([one[2] for one in held], np.int64)
        return SetRows(
            keys={
                "person": np.array(["a"] * len(held), np.str_),
                "generic": np.array([one[0] for one in held], np.str_),
                "institution": np.array([one[1] for one in held], np.str_),
            },
            columns=columns,
        )

    patient = SUPERVISION.sets["patient"]
    visited = SetRows(
        keys={"person": np.array(["a"], np.str_)},
        columns={measure.id: np.array([1], np.int64) for measure in patient.measures},
    )
    months = {one: rows() for one in (202510, 202511, 202512, 202601, 202602)}
    months[202511] = rows(("X", "H1", 90), ("Y", "H9", 100))
    months[MARCH] = rows(("X", "H2", 90), ("X", "H1", 45))
    monthly = {"supply": months, "patient": {MARCH: visited}}
    of = SUPERVISION.indicators["person"]
    table = indicators_of(of, SUPERVISION.sets, monthly, MARCH, Peers(groups={}, least=5))
    told = {one["id"]: one["value"] for one in told_indicators(table, UNITS)}
    # 225 days of X in six months of 180; X comes from two institutions.
    assert (told["I301"], told["I305"]) == ("1.25", "2")


def test_months_that_are_needed() -> None:
    needed = months_needed(202601)
    assert {202601, 202512, 202511, 202501, 202412} <= set(needed)


def test_units_and_places_are_stated() -> None:
    units = Counter(base.unit for of in SUPERVISION.indicators.values() for base in of.bases)
    assert units["yuan"] > 20
    assert "fen" not in units
