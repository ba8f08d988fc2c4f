"""Files around the CSV: packed, in other encodings, broken off, empty or of another kind."""

import gzip
import zipfile
from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.errors import IntakeFileError, MappingError
from node.store import NodeStore
from tests.support import node_messages as m
from tests.support.node_csv import HEADER, csv_mapping, ingest_csv


def test_packed_files_and_other_encodings_are_read(store: NodeStore, tmp_path: Path) -> None:
    text = HEADER + "{},医院,张三,2026-01-01,2026-01-02,I,1,1\r\n\r\n"
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(b"\xef\xbb\xbf" + text.format("C1").encode())
    with zipfile.ZipFile(tmp_path / "b.csv.zip", "w") as archive:
        archive.writestr("claims.csv", text.format("C2"))
    (tmp_path / "c.csv").write_bytes(text.format("C3").encode("gb18030"))
    gb = csv_mapping(**{"record_id: id": "record_id: id\nencoding: gb18030"})

    ingest_csv(store, tmp_path / "a.csv.gz")
    ingest_csv(store, tmp_path / "b.csv.zip")
    ingest_csv(store, tmp_path / "c.csv", gb)

    assert [row["person"] for row in m.rows_of(store, "settlement")] == ["张三"] * 3
    assert len([one for one in store.institutions() if one.foreign]) == 1


def test_a_line_in_another_encoding_is_refused(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    line = "{},医院,张三,2026-01-01,2026-01-02,I,1,1\n"
    path.write_bytes(
        HEADER.encode() + line.format("C1").encode("gb18030") + line.format("C2").encode()
    )

    report = ingest_csv(store, path)

    assert report.by_rule == {Rule.UTF8_INVALID: 1}
    assert report.records_stored["settlement"] == 1


def test_a_packed_file_that_breaks_off_keeps_what_was_read(
    store: NodeStore, tmp_path: Path
) -> None:
    rows = 120_000
    lines = "".join(
        f"C{number},PRV{number % 7},{number * 7919:064d},2026-01-01,2026-01-02,I,{number},1\n"
        for number in range(rows)
    )
    whole = gzip.compress((HEADER + lines).encode(), 1)
    (tmp_path / "a.csv.gz").write_bytes(whole[:-9])

    report = ingest_csv(store, tmp_path / "a.csv.gz")

    assert report.by_rule == {Rule.FILE_TRUNCATED: 1}
    assert 0 < report.records_stored["settlement"] < rows
    (row,) = store.quarantine_rows()
    assert (row.source, row.mend) == ("a.csv.gz", "copy the whole file again; what went in is kept")
    (tmp_path / "a.csv.gz").write_bytes(whole)
    again = ingest_csv(store, tmp_path / "a.csv.gz")
    stored = report.records_stored["settlement"]
    assert (again.already_seen, again.records_stored["settlement"]) == (stored, rows - stored)
    assert store.quarantine_count() == 0


def test_a_damaged_file_is_an_error_or_a_quarantine_row(store: NodeStore, tmp_path: Path) -> None:
    text = HEADER + "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1\n" * 3_000
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode())[:-20])
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("claims.csv", text)
    damaged = bytearray((tmp_path / "b.zip").read_bytes())
    damaged[len(damaged) // 3] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(bytes(damaged))

    with pytest.raises(IntakeFileError, match="copy the whole file again"):
        ingest_csv(store, tmp_path / "a.csv.gz")
    with pytest.raises(IntakeFileError, match=r"b\.zip: "):
        ingest_csv(store, tmp_path / "b.zip")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.zip", b"PK\x03\x04 no zip", "archive"),
        ("a.csv", b"x" * 70_000, "expected a header line"),
        ("a.csv", b"\xff\xfe\n", "UTF-16 text"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_an_error(
    store: NodeStore, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(IntakeFileError, match=problem):
        ingest_csv(store, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\r\n\n"),
        ("a.csv.gz", b""),
        ("a.csv.gz", gzip.compress(b"", mtime=0)),
        ("a.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:15]),
        ("a.csv.gz", b"not packed"),
    ],
)
def test_a_file_that_breaks_off_before_its_header_is_an_error(
    store: NodeStore, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(IntakeFileError, match=rf"^{name}: "):
        ingest_csv(store, tmp_path / name)
    assert store.quarantine_count() == 0


def test_a_zip_with_two_csv_files_or_no_file_is_an_error(store: NodeStore, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("1.csv", HEADER)
        archive.writestr("2.csv", HEADER)

    with pytest.raises(IntakeFileError, match="a zip of 2 files"):
        ingest_csv(store, tmp_path / "b.zip")
    with pytest.raises(IntakeFileError, match=r"none\.csv"):
        ingest_csv(store, tmp_path / "none.csv")


def test_a_file_without_a_mapped_column_or_with_one_twice_is_an_error(
    store: NodeStore, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("id,hospital,person\nx,y,z\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(HEADER.replace("own", "fund"), encoding="utf-8")

    with pytest.raises(MappingError, match="the column 'end' is not there, expected once"):
        ingest_csv(store, tmp_path / "a.csv")
    with pytest.raises(IntakeFileError, match="the column 'fund' 2 times"):
        ingest_csv(store, tmp_path / "b.csv")
