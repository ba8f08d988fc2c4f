"""Tables through a mapping: every row is stored or refused once, whatever is in its cells."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.store import NodeStore
from security.at_rest import Vault
from tests.support import node_messages as m
from tests.support.node_csv import HEADER, ingest_csv

NAMES = HEADER.strip().split(",")
CELLS = (
    st.none()
    | st.sampled_from(
        ["C1", "PRV1", "B1", "2026-01-01", "2026-01-02", "I", "O", "1.50", "NA", "-1"]
    )
    | st.text(max_size=6)
)
GOOD = st.tuples(
    st.integers(0, 5).map("C{}".format),
    *map(st.just, ("PRV1", "B1", "2026-01-01", "2026-01-02", "I")),
    st.integers(0, 3).map(str),
    st.just("1"),
)
ROWS = st.lists(GOOD | st.tuples(*[CELLS] * len(NAMES)), min_size=1, max_size=12)


def read_twice(rows: list[tuple[str | None, ...]]) -> None:
    """Read a table of rows, and again: each is stored, already seen or quarantined."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.parquet"
        columns = list(zip(*rows, strict=True))
        pq.write_table(
            pa.table(
                {
                    name: pa.array(list(column), pa.string())
                    for name, column in zip(NAMES, columns, strict=True)
                }
            ),
            path,
        )
        with NodeStore(Path(place) / "node", Vault.create(Path(place) / "key")) as store:
            report = ingest_csv(store, path)
            stored = m.rows_of(store, "settlement")
            digest, refused = store.digest(), store.quarantine_count()

            again = ingest_csv(store, path)

            written = report.records_stored.get("settlement", 0)
            assert report.messages_in == len(rows)
            assert written + report.already_seen + report.quarantined == len(rows)
            assert len({(row["institution"], row["setl_id"]) for row in stored}) == len(stored)
            assert len(m.rows_of(store, "settlement")) == len(stored)
            assert (again.quarantined, store.quarantine_count()) == (report.quarantined, refused)
            # The last of several versions in a file is what the first reading left.
            assert store.digest() == digest


@given(rows=ROWS)
@settings(max_examples=5, deadline=None)
def test_rows_are_stored_or_refused_and_never_lost(rows: list[tuple[str | None, ...]]) -> None:
    read_twice(rows)


@pytest.mark.faults
@given(rows=ROWS)
@settings(max_examples=100, deadline=None)
def test_rows_of_many_tables_are_never_lost(rows: list[tuple[str | None, ...]]) -> None:
    read_twice(rows)
