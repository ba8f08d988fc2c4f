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
        archive.writestr("readme.txt", "hello")
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


def test_a_truncated_packed_file_gives_what_it_holds(store: NodeStore, tmp_path: Path) -> None:
    lines = "".join(
        f"C{number},PRV{number % 7},B{number * 7919},2026-01-01,2026-01-02,I,{number},1\n"
        for number in range(3000)
    )
    whole = gzip.compress((HEADER + lines).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("claims.csv", HEADER + lines)
    damaged = bytearray((tmp_path / "b.zip").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(bytes(damaged))

    report = ingest_csv(store, tmp_path / "a.csv.gz")
    spoilt = ingest_csv(store, tmp_path / "b.zip")

    assert report.by_rule[Rule.FILE_TRUNCATED] == 1
    assert report.records_stored["settlement"] > 100
    assert sum(spoilt.by_rule.values()) >= 1


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.zip", b"PK no zip", "is no whole ZIP"),
        ("a.csv", b"x" * 70_000, "has no header line"),
        ("a.csv", b"\xff\xfe\n", "the header is not utf-8"),
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
        ("a.csv.gz", gzip.compress(b"")),
        ("a.csv.gz", gzip.compress(HEADER.encode())[:15]),
        ("a.csv.gz", b"not packed"),
    ],
)
def test_a_csv_that_breaks_off_before_its_header_is_one_quarantine_row(
    store: NodeStore, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    for _ in range(2):
        report = ingest_csv(store, tmp_path / name)
        assert (report.messages_in, report.by_rule) == (1, {Rule.FILE_TRUNCATED: 1})
        (row,) = store.quarantine_rows()
        assert (row.source, row.rule) == (name, Rule.FILE_TRUNCATED)
        assert row.mend.startswith("copy the whole file again")


def test_a_zip_with_two_csv_files_or_no_file_is_an_error(store: NodeStore, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("1.csv", HEADER)
        archive.writestr("2.csv", HEADER)

    with pytest.raises(IntakeFileError, match="holds 2 CSV files"):
        ingest_csv(store, tmp_path / "b.zip")
    with pytest.raises(IntakeFileError, match="cannot be read"):
        ingest_csv(store, tmp_path / "none.csv")


@pytest.mark.parametrize("header", ["id,hospital,person\n", HEADER.replace("own", "fund")])
def test_a_file_without_a_mapped_column_is_an_error(
    store: NodeStore, tmp_path: Path, header: str
) -> None:
    (tmp_path / "a.csv").write_text(header + "x,y,z\n", encoding="utf-8")

    with pytest.raises(MappingError, match="expected once"):
        ingest_csv(store, tmp_path / "a.csv")
