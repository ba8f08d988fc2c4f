"""Records and knowledge in Chinese words: every column has one, and no code list is misnamed."""

import re

import pytest

from node.domain.column_names import NAMES, NAMES_OF_KIND
from node.domain.record_words import LEFT_OUT, LISTS, UNITS, WORDS, name_of, told_value
from scoring_kernel import load_catalog
from scoring_kernel.rules import load_rules

CATALOG = load_catalog()
COLUMNS = [
    (kind.id, name)
    for kind in CATALOG.records.values()
    if kind.stored == "segment"
    for name, _ in kind.schema
    if name not in LEFT_OUT
] + [(table.id, name) for table in load_rules().knowledge.values() for name in table.columns]


def test_every_column_of_every_kind_has_a_word_of_its_own() -> None:
    named: dict[tuple[str, str], str] = {}
    for kind, column in COLUMNS:
        word = name_of(kind, column)
        assert any("一" <= sign <= "鿿" for sign in word), (kind, column)
        other = named.setdefault((kind, word), column)
        assert other == column, f"{kind}: {other} and {column} are both {word}"


def test_words_are_of_columns_and_lists_that_there_are() -> None:
    bare = [(kind, re.sub("_(fen|e4|e6)$", "", column)) for kind, column in COLUMNS]
    known = {column for _, column in bare} | {".".join(one) for one in bare}
    assert {*NAMES, *UNITS, *LISTS, *WORDS, *map(".".join, NAMES_OF_KIND)} <= known
    assert set(LISTS.values()) <= CATALOG.code_tables.keys()


@pytest.mark.parametrize(
    ("kind", "column", "value", "told"),
    [
        ("fee_detail", "charge_type", "09", "09（西药费）"),
        ("fee_detail", "level", "01", "01（甲类）"),
        (
            "institution_profile",
            "level",
            "01",
            f"01（{CATALOG.code_tables['hosp_lv'].labels['01']}）",
        ),
        ("fee_detail", "charge_type", "77", "77"),
        ("fee_detail", "cap", "17.5", "17.5 元"),
        ("fee_detail", "cap", "999999", "不限价"),
        ("fee_detail", "price_e6", "999999", "999999 元"),
        ("fee_detail", "quantity", "2", "2"),
        ("fee_detail", "days", "7", "7 日"),
        ("settlement", "pooled", "60.50", "60.50 元"),
        ("settlement", "sign", "-1", "-1（撤销）"),
        ("claim", "total", "60.50", "60.50"),
        ("stock_movement", "what", "sale", "sale（销售）"),
        ("identity_event", "result", "spoof", "spoof（冒用）"),
        ("identity_event", "reason_code", "proxy", "proxy（代配药）"),
        ("duty_event", "result", "unjudged", "unjudged（未能判定）"),
        ("benefit_freeze", "reason_code", "01", "01"),
        ("k_drug_hosplevel", "min_rank", "3", "3（三级）"),
        ("k_item_cycle", "days", "15", "15 日"),
        ("k_item_mutex", "scope", "hours_6", "hours_6（6小时）"),
        ("k_fund_cap", "code", "310", f"310（{CATALOG.code_tables['insutype'].labels['310']}）"),
    ],
)
def test_values_have_units_and_codes_have_words(
    kind: str, column: str, value: str, told: str
) -> None:
    assert told_value(kind, column, value, CATALOG.code_tables) == told
