from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.app import HubApp
from hub.errors import StatementsMissingError
from hub.store.engine import reading
from security.errors import SegmentTamperedError
from tests.support.hub_city import FIRST, SECOND, City, Sender, Slot, batch

if TYPE_CHECKING:
    from pathlib import Path

    from hub.store.statements import StagedSize


def staged(city: City) -> StagedSize:
    with reading(city.parts.engine) as connection:
        return city.parts.statements.staged_size(connection)


def segments(city: City) -> list[Path]:
    return sorted((city.parts.directory / "objects").glob("*.parquet"))


def test_a_flush_moves_rows_into_one_segment_and_changes_no_answer(
    city: City, node: Sender
) -> None:
    city.submit(node.seal(batch(Slot(value=1))), node.seal(batch(Slot(month=202602, value=2))))
    before = city.monthly(202601, 202602)

    assert city.parts.statements.flush(city.parts.engine) == 2

    assert staged(city).envelopes == 0
    assert len(segments(city)) == 1
    assert city.monthly(202601, 202602) == before


def test_flushes_merge_small_segments_and_leave_superseded_rows_out(
    city: City, node: Sender
) -> None:
    for version in (1, 2, 3):
        city.submit(node.seal(batch(Slot(version=version, value=version))))
        city.parts.statements.flush(city.parts.engine)

    assert city.monthly(202601)["values"] == [3]
    with reading(city.parts.engine) as connection:
        assert city.parts.statements.sweep(connection) == 2
    assert len(segments(city)) == 1
    assert city.monthly(202601)["values"] == [3]


def test_a_flush_with_nothing_that_counts_writes_no_segment(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot(version=1))), node.seal(batch(Slot(version=2, empty=True))))

    assert city.parts.statements.flush(city.parts.engine) == 2

    assert segments(city) == []
    assert city.monthly(202601)["values"] == []


def test_rows_of_a_statement_that_lacks_parts_stay_staged(city: City, node: Sender) -> None:
    part = Slot(version=1, rows=1, part=1, parts=2)
    city.submit(node.seal(batch(part)), node.seal(batch(Slot(institution=SECOND, value=4))))

    assert city.parts.statements.flush(city.parts.engine) == 1
    assert staged(city).envelopes == 1

    whole = batch(Slot())
    from protos.yixin.v1 import statement_pb2  # noqa: PLC0415

    digest = statement_pb2.StatementBatch.FromString(whole).slots[0].digest
    last = Slot(version=2, rows=1, part=1, parts=2, digest=digest)
    rest = Slot(version=2, rows=1, part=2, parts=2, digest=digest, empty=True)
    city.submit(node.seal(batch(last)))
    city.parts.statements.flush(city.parts.engine)
    city.submit(node.seal(batch(rest)))

    assert city.monthly(202601) == {
        "subjects": [FIRST, SECOND],
        "months": [202601, 202601],
        "values": [1, 4],
    }


def test_a_changed_segment_is_refused(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot())))
    city.parts.statements.flush(city.parts.engine)
    (path,) = segments(city)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(SegmentTamperedError):
        city.monthly(202601)


def test_leftover_files_of_a_crash_go_at_the_next_start(made_hub: Path, tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    shutil.copytree(made_hub, tmp_path / "hub")
    leftover = tmp_path / "hub" / "objects" / "settlement-leftover.parquet"
    leftover.write_bytes(b"half a segment")

    with HubApp(tmp_path / "hub").opened():
        assert not leftover.exists()


def test_a_measure_set_outside_the_catalogue_is_named(city: City) -> None:
    with pytest.raises(StatementsMissingError, match="unheard_of"):
        city.monthly(202601, measure_set="unheard_of")


def test_months_that_were_not_asked_for_are_not_there(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot(month=202601), Slot(month=202602))))

    assert city.monthly(202602)["months"] == [202602]
    assert city.monthly(202603)["months"] == []


def test_staged_rows_are_encrypted_at_rest(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot())))

    database = (city.parts.directory / "hub.db-wal").read_bytes()

    assert b"ARROW" not in database
    assert b"medfee_fen" not in database


def test_whose_months_have_gaps_is_told_by_institution(city: City, node: Sender) -> None:
    months = (202601, 202602)

    def patchy(among: tuple[str, str] | None = None) -> frozenset[str]:
        with reading(city.parts.engine) as connection:
            return city.parts.statements.patchy(connection, "settlement", months, among)

    assert patchy() == frozenset()
    city.submit(
        node.seal(batch(Slot(value=1))), node.seal(batch(Slot(institution=SECOND, value=4)))
    )
    assert patchy() == {FIRST, SECOND}
    assert patchy((SECOND, SECOND)) == {SECOND}
    # A month without anything to tell is stated, too.
    city.submit(node.seal(batch(Slot(month=202602, empty=True))))
    assert patchy() == {SECOND}
    city.parts.statements.flush(city.parts.engine)
    assert patchy() == {SECOND}
