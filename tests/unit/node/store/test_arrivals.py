"""Days of arrival are those of a plain scan, whatever the ledger holds."""

import sqlite3
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from node.store.arrivals import Arrivals, Waiting
from node.store.ledger import LEDGER_TABLES

STRETCH = [f"202603{day:02d}" for day in range(5, 12)]
MESSAGES = st.sets(
    st.tuples(
        st.sampled_from(["H33030200001", "H33030200002", "P33030200017"]),
        st.sampled_from(["2201", "2207", "3501"]),
        st.integers(1, 20),
        st.integers(0, 3),
    ),
    max_size=60,
)


def arrivals_of(messages: set[tuple[str, str, int, int]], *, pending: bool = False) -> Arrivals:
    connection = sqlite3.connect(":memory:")
    for statement in LEDGER_TABLES:
        connection.execute(statement)
    for institution, infno, day, number in messages:
        msgid = f"{institution}202603{day:02d}095039{number:04d}"
        key = (institution, infno, msgid)
        connection.execute("insert into message values(?, ?, ?, 202603, 1, x'00', null)", key)
        if pending:
            connection.execute("insert into pending values(?, ?, ?, x'00')", key)
    return Arrivals(connection)


@given(MESSAGES)
def test_the_days_of_a_stretch_are_those_of_a_scan(
    messages: set[tuple[str, str, int, int]],
) -> None:
    scanned = defaultdict(set)
    for institution, _, day, _ in messages:
        scanned[institution].add(f"202603{day:02d}")
    found = arrivals_of(messages).days(STRETCH)
    assert set(found) == set(scanned)
    for institution, days in found.items():
        within = scanned[institution].intersection(STRETCH)
        before = {day for day in scanned[institution] if day < STRETCH[0]}
        assert days.intersection(STRETCH) == within
        assert days - within <= before
        if not within and before:
            assert max(days) == max(before)


@given(MESSAGES)
def test_who_waits_is_counted_with_the_oldest_day(
    messages: set[tuple[str, str, int, int]],
) -> None:
    by_institution = defaultdict(list)
    for institution, _, day, _ in sorted(messages):
        by_institution[institution].append(f"202603{day:02d}")
    assert arrivals_of(messages, pending=True).waiting() == tuple(
        Waiting(institution=institution, messages=len(days), since=min(days))
        for institution, days in sorted(by_institution.items())
    )
