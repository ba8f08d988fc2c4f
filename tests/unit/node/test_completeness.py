"""What each institution owes is judged by its own rhythm; late ones come first."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.completeness import Completeness, completeness
from node.domain.rhythm import missing_days, rhythm
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m
from tests.support.node_csv import ingest_csv, write_csv

CATALOG = load_catalog()
TODAY = date(2026, 3, 31)
NOW = datetime(2026, 3, 31, 4, 0, tzinfo=UTC)
DAYS = st.dates(TODAY - timedelta(days=40), TODAY + timedelta(days=5))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        yield opened


def on(document: m.Document, day: date, number: int) -> m.Document:
    """Give a message another day and number."""
    request = document.get("request", document)
    institution = request["fixmedins_code"]
    request["msgid"] = f"{institution}{day:%Y%m%d}095039{number:04d}"
    request["inf_time"] = f"{day} 09:50:39"
    return document


def registrations(days: Sequence[date], number: int = 1) -> list[m.Document]:
    documents = []
    for day in days:
        document = on(m.registration(number, begntime=f"{day} 09:10:00"), day, number)
        document["response"]["output"]["data"]["mdtrt_id"] = f"330302G{day:%Y%m%d}{number:05d}"
        documents.append(document)
    return documents


def sales(days: Sequence[date]) -> list[m.Document]:
    return [on(m.pharmacy_sale(n), day, n) for n, day in enumerate(days, start=100)]


def judge(
    store: NodeStore, path: Path, documents: Sequence[m.Document], now: datetime = NOW
) -> dict[str, Completeness]:
    m.ingest_documents(store, path, documents)
    return {one.institution: one for one in completeness(store, CATALOG, now)}


def back(*days: int) -> list[date]:
    return [TODAY - timedelta(days=one) for one in days]


def test_who_sends_as_always_owes_nothing(store: NodeStore, tmp_path: Path) -> None:
    days = back(9, 8, 7, 4, 3, 2, 1)
    found = judge(store, tmp_path / "in.jsonl", [*registrations(days), *sales(days)])
    assert found[m.HOSPITAL].late == ()
    assert found[m.HOSPITAL].last_message == "2026-03-30"
    assert found[m.HOSPITAL].missing_count == 0


def test_who_fell_silent_comes_first(store: NodeStore, tmp_path: Path) -> None:
    documents = [*registrations(back(12, 11, 10, 9, 8)), *sales(back(12, 11, 10, 9, 8, 1))]
    m.ingest_documents(store, tmp_path / "in.jsonl", documents)
    first = completeness(store, CATALOG, NOW)[0]
    assert first.institution == m.HOSPITAL
    assert [one.what for one in first.late] == ["message"]
    assert (first.late[0].since, first.late[0].count) == ("2026-03-23", 7)
    assert "no messages for 7 days, never before more than 0" in first.late[0].text


def test_a_kind_that_stays_away_while_messages_come_is_named(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [*registrations(back(12, 10, 8, 6)), *sales(back(1))]
    documents += [on(m.discharge(n), day, n) for n, day in enumerate(back(5, 4, 3, 2, 1), start=9)]
    found = judge(store, tmp_path / "in.jsonl", documents)
    (late,) = found[m.HOSPITAL].late
    assert (late.what, late.since, late.count) == ("admission", "2026-03-25", 5)
    assert late.text.startswith("no records of admission for 5 days, never before more than 1")


def test_an_institution_that_never_sent_is_told(store: NodeStore, tmp_path: Path) -> None:
    found = judge(store, tmp_path / "in.jsonl", registrations(back(2, 1)))
    (late,) = found[m.PHARMACY].late
    assert (late.what, late.since) == ("message", "")
    assert found[m.PHARMACY].last_message == ""


def test_days_on_which_only_others_sent_are_named(store: NodeStore, tmp_path: Path) -> None:
    documents = [*registrations(back(5, 2, 1)), *sales(back(6, 5, 4, 3, 2, 1))]
    found = judge(store, tmp_path / "in.jsonl", documents)
    assert found[m.HOSPITAL].missing_days == ("2026-03-27", "2026-03-28")
    assert found[m.PHARMACY].missing_count == 0


def test_a_response_is_awaited_for_a_day_and_then_late(store: NodeStore, tmp_path: Path) -> None:
    (fresh,), (old,) = registrations(back(1)), registrations(back(3), number=2)
    found = judge(store, tmp_path / "a.jsonl", [fresh["request"], *registrations(back(1), 3)])
    assert found[m.HOSPITAL].waiting == 1
    assert found[m.HOSPITAL].late == ()
    found = judge(store, tmp_path / "b.jsonl", [old["request"]])
    (late,) = found[m.HOSPITAL].late
    assert (late.what, late.count, late.since) == ("response", 2, "2026-03-28")


def stay(number: int, day: date) -> m.Document:
    setl_id = f"330302G000000090{number:04d}"
    response = {"setl_id": setl_id, "setl_time": f"{day} 10:00:00"}
    return on(m.settlement(number, infno="2304", response=response), day, number)


def test_a_stay_without_its_settlement_list_is_owed(store: NodeStore, tmp_path: Path) -> None:
    days = back(20, 15, 12, 9, 1)
    stays = [stay(number, day) for number, day in enumerate(days, start=1)]
    listed = on(m.settlement_list(50, setl_id="330302G0000000900001"), days[0], 50)
    taken_back = on(m.reversal(60, "330302G0000000900002", infno="2305"), back(14)[0], 60)
    found = judge(store, tmp_path / "in.jsonl", [*stays, listed, taken_back])
    assert store.quarantine_count() == 0
    (late,) = [one for one in found[m.HOSPITAL].late if one.what == "settlement_list"]
    # The first has its list, the second was taken back, two are not due yet.
    assert (late.count, late.since) == (1, "2026-03-19")


def test_records_that_came_as_files_need_no_messages(store: NodeStore, tmp_path: Path) -> None:
    write_csv(tmp_path / "in.csv", "1,A,p1,2009-04-12,2009-04-18,I,10,1.5")
    ingest_csv(store, tmp_path / "in.csv")
    found = {one.institution for one in completeness(store, CATALOG, NOW)}
    assert found == {m.HOSPITAL, m.PHARMACY}


@given(days=st.sets(DAYS), freshness=st.integers(0, 5))
def test_a_further_arrival_today_ends_any_lateness(days: set[date], freshness: int) -> None:
    found = rhythm(days | {TODAY}, TODAY, freshness)
    assert found is not None
    assert (found.last, found.away_days, found.late) == (TODAY, 0, False)


@given(days=st.sets(DAYS, min_size=1), freshness=st.integers(0, 5), more=st.integers(1, 60))
def test_who_stays_away_becomes_late_and_stays_so(
    days: set[date], freshness: int, more: int
) -> None:
    now, later = (rhythm(days, TODAY + timedelta(days=6 + one), freshness) for one in (0, more))
    assert now is not None
    assert later is not None
    assert later.away_days == now.away_days + more
    assert later.late >= now.late


@given(days=st.sets(DAYS), others=st.sets(DAYS))
def test_a_missing_day_is_of_others_and_within_ones_own(days: set[date], others: set[date]) -> None:
    for day in missing_days(days, others):
        assert day in others
        assert day not in days
        assert min(days) < day < max(days)
