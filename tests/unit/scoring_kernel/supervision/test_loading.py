"""The files of ``supervision/``: what is there, and one mistake after the other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.errors import CatalogError, ParameterNotInForceError
from scoring_kernel.supervision.loading import load_supervision, parse_supervision
from scoring_kernel.supervision.sets import PERSONAL
from scoring_kernel.supervision.stated import own_files, stated_sets

SUPERVISION = load_supervision()
LIST = Path(__file__).resolve().parents[4].parent / "shared" / "domain" / "topics.csv"


def test_there_are_the_nineteen_topics_of_the_list() -> None:
    assert list(SUPERVISION.topics) == [f"T{number:02d}" for number in range(1, 20)]
    if not LIST.exists():
        pytest.skip(f"{LIST} is not here")
    with LIST.open(encoding="utf-8-sig") as file:
        assert [row["topic_id"] for row in csv.DictReader(file)] == list(SUPERVISION.topics)


def test_every_topic_has_chart_sentence_and_dated_thresholds() -> None:
    for topic in SUPERVISION.topics.values():
        assert {topic.chart.x, *topic.chart.series} <= topic.columns.keys()
        assert topic.finding.zh
        assert topic.finding.none_en
        if topic.alert is not None:
            assert topic.parameters, f"{topic.id} alerts without a dated threshold"


def test_what_travels_names_no_person() -> None:
    travelling = {name for name, one in SUPERVISION.sets.items() if one.travels}
    assert travelling == SUPERVISION.stated.keys() == stated_sets().keys()
    assert travelling == {
        *("care", "cost_mix", "duty", "hit", "practice", "practice_hit", "shop", "stay"),
    }
    for name in travelling:
        assert PERSONAL.isdisjoint(SUPERVISION.sets[name].keys)
    assert {"patient", "supply", "together"} <= {
        name for name, one in SUPERVISION.sets.items() if one.is_personal
    }


def test_a_month_is_counted_with_the_thresholds_of_its_last_day() -> None:
    patient = SUPERVISION.sets["patient"]
    assert "200000000" in patient.sql_of(202105)
    with pytest.raises(ParameterNotInForceError, match="2021-04-30"):
        patient.sql_of(202104)


def test_sources_are_known() -> None:
    known = load_catalog().legal_basis
    for topic in SUPERVISION.topics.values():
        for parameter in topic.parameters.values():
            assert {value.basis for value in parameter.values} <= known.keys()


CARE, T01 = "supervision/measures/care.yaml", "supervision/topics/T01.yaml"
MISTAKES = {
    "an unknown column": (CARE, "insutype = '310'", "insurance = '310'", "insurance"),
    "an undeclared relation": (CARE, "FROM paid\n", "FROM fee_detail\n", "fee_detail"),
    "a cross join": (
        CARE,
        "JOIN visited\n    ON visited.institution = counted.institution",
        "CROSS JOIN visited",
        "CROSS",
    ),
    "a person that travels": (
        "supervision/measures/together.yaml",
        "keys: [person, other, institution]",
        "keys: [person, other, institution]\ntravels: true",
        "stays at the node",
    ),
    "an unknown key": (CARE, "keys: [institution]", "keys: [address]", "address"),
    "an unknown placeholder": (CARE, "settled_at < $ends", "settled_at < $end", r"\$end"),
    "a set of grading": (CARE, "id: care", "id: settlement", "settlement"),
    "an undated threshold": (T01, "2021-05-01: {value", "always: {value", "always"),
    "a threshold nobody reads": (T01, "$allowed_excess_e6", "0", "allowed_excess"),
    "a chart of another column": (T01, "series: [fund, medfee]", "series: [money]", "money"),
    "a sentence of another column": (T01, "{first.fund}", "{first.money}", "first.money"),
    "a sum of texts": (T01, "{first.fund}", "{sum.month}", "sum.month"),
    "a step that is none": (T01, "robust_z:", "mean:", "mean"),
    "a column not queried": (T01, "columns:\n", "columns:\n  more: {name_zh: 多}\n", "more"),
    "an indicator twice": (
        "supervision/indicators/pharmacy.yaml",
        "  I349:",
        "  I346:",
        "I346 is taken",
    ),
    "a formula of no measure": (
        "supervision/indicators/pharmacy.yaml",
        "care.settlements",
        "care.sales",
        "care.sales",
    ),
    "an indicator of persons for institutions": (
        "supervision/indicators/pharmacy.yaml",
        "care.settlements",
        "patient.visits",
        "patient.visits",
    ),
    "a highest row by a text": (
        "supervision/topics/T18.yaml",
        "top: {by: amount, among: hits}",
        "top: {by: rule}",
        "by: found 'rule'",
    ),
    "a highest row by nothing": (
        "supervision/topics/T18.yaml",
        "  top: {by: amount, among: hits}\n",
        "",
        "found {ranked.}",
    ),
    "words for one language alone": (
        "supervision/topics/T18.yaml",
        "  unranked_en:",
        "  none:",
        "none",
    ),
    "an English sentence that lacks words": (
        "supervision/topics/T18.yaml",
        "{alerts} jumped.",
        "{alerts} jumped; {lacks}.",
        "lacks_en: found 0, expected 1",
    ),
    "no setting": ("supervision/settings.yaml", "least_peers", "peers", "least_peers"),
}


def needed(file: str) -> dict[str, bytes]:
    """A file and what it names: the others take long to check and change nothing."""
    contents = own_files()
    named = contents[file].decode()
    kept = ("supervision/settings", "supervision/relations/")
    return {
        name: content
        for name, content in contents.items()
        if name == file or name.startswith(kept) or _is_named(name, named)
    }


def _is_named(name: str, text: str) -> bool:
    stem = Path(name).stem
    is_set = name.startswith("supervision/measures/")
    return is_set and (f"{stem}." in text or f"[{stem}" in text or stem == "patient")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_file(mistake: str) -> None:
    file, text, wrong, told = MISTAKES[mistake]
    contents = needed(file)
    before = contents[file].decode()
    assert text in before
    contents[file] = before.replace(text, wrong, 1).encode()
    with pytest.raises(CatalogError, match=told) as refused:
        parse_supervision(contents, load_catalog(), SUPERVISION.relations)
    assert refused.value.file.startswith("supervision/")


def test_a_file_that_nobody_reads_is_refused() -> None:
    contents = own_files() | {"supervision/notes/x.yaml": b"a: 1\n"}
    with pytest.raises(CatalogError, match="nobody reads"):
        parse_supervision(contents, load_catalog(), SUPERVISION.relations)
