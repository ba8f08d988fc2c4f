"""Reading files: every kind, damaged ones too, each line bounded."""

import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.errors import IntakeFileError
from node.intake.lines import MAX_LINE_BYTES, InputFile, find_inputs, read_lines
from node.store import NodeStore
from tests.support import node_messages as m


def test_a_line_that_is_too_long_is_skipped_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n' + b"x" * (MAX_LINE_BYTES * 2) + b"\n" + b'{"b": 2}\n')

    lines = list(read_lines(InputFile(path=path)))

    assert [line.number for line in lines] == [1, 2, 3]
    assert lines[1].fault is not None
    assert lines[1].fault.rule is Rule.LINE_TOO_LONG
    assert lines[1].body == b""
    assert len(lines[1].line_digest()) == 32


def test_the_last_line_may_be_too_long_and_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * (MAX_LINE_BYTES + 5))

    (line,) = read_lines(InputFile(path=path))

    assert line.fault is not None
    assert f"{MAX_LINE_BYTES + 5} bytes" in line.fault.reason


@pytest.mark.parametrize("large", ["a_req.json", "a_resp.json"])
def test_a_pair_is_read_no_further_than_a_message_may_be_long(tmp_path: Path, large: str) -> None:
    (tmp_path / "a_req.json").write_text('{"input": {}}', encoding="utf-8")
    (tmp_path / "a_resp.json").write_text("{}", encoding="utf-8")
    (tmp_path / large).write_bytes(b'{"a": "')
    os.truncate(tmp_path / large, 2**31)
    source = InputFile(path=tmp_path / "a_req.json", response=tmp_path / "a_resp.json")

    tracemalloc.start()
    (line,) = read_lines(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert line.fault is not None
    assert (line.fault.rule, line.body) == (Rule.LINE_TOO_LONG, b"")
    assert peak < 4 * MAX_LINE_BYTES


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n')
    os.truncate(path, 2**26)

    tracemalloc.start()
    first, second = read_lines(InputFile(path=path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (first.fault, second.fault and second.fault.rule) == (None, Rule.LINE_TOO_LONG)
    assert peak < 4 * MAX_LINE_BYTES


def test_a_truncated_gzip_gives_what_it_holds_and_one_quarantine_row(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [m.fees(number, lines=40) for number in range(1, 60)]
    whole = gzip.compress(m.write_lines(tmp_path / "a.jsonl", documents).read_bytes())
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(whole[: len(whole) - 9])

    report = m.ingest(store, path)

    assert report.by_rule == {Rule.FILE_TRUNCATED: 1}
    assert report.records_stored["fee_detail"] >= 40


def test_a_damaged_gzip_is_a_quarantine_row(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(b"not packed at all")

    assert m.ingest(store, path).by_rule == {Rule.FILE_TRUNCATED: 1}


def test_a_file_still_being_written_is_taken_up_to_its_last_line(
    store: NodeStore, tmp_path: Path
) -> None:
    path = m.write_lines(tmp_path / "a.jsonl", [m.fees(1), m.fees(2), m.fees(3)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    report = m.ingest(store, path)
    (row,) = store.quarantine_rows()
    assert (report.by_rule, row.line) == ({Rule.FILE_TRUNCATED: 1}, 2)
    assert report.records_stored == {"fee_detail": 2}

    path.write_bytes(whole[:-40])
    report = m.ingest(store, path)
    (row,) = store.quarantine_rows()
    assert (report.by_rule, row.line) == ({Rule.FILE_TRUNCATED: 1}, 3)
    assert "without its end, expected whole lines" in row.reason

    path.write_bytes(whole[:-1])  # a whole last message needs no line end
    report = m.ingest(store, path)
    assert (report.quarantined, report.already_seen) == (0, 2)
    assert store.quarantine_rows() == ()


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_file_is_one_object_an_array_or_lines(
    store: NodeStore, tmp_path: Path, indent: int | None
) -> None:
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    one.write_text("\ufeff" + json.dumps(m.fees(1), indent=indent), encoding="utf-8")
    many.write_text(json.dumps([m.fees(2), m.fees(3)], indent=indent), encoding="utf-8")

    assert m.ingest(store, one).records_stored == {"fee_detail": 2}
    assert m.ingest(store, many).records_stored == {"fee_detail": 4}


def test_a_json_file_of_lines_is_read_by_lines(store: NodeStore, tmp_path: Path) -> None:
    path = m.write_lines(tmp_path / "a.json", [m.fees(1), m.fees(2)])

    assert m.ingest(store, path).messages_in == 2


def test_a_broken_json_file_is_one_quarantine_row(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"infno": "2204",\n "request": {', encoding="utf-8")

    report = m.ingest(store, path)

    assert (report.messages_in, report.by_rule) == (1, {Rule.JSON_BROKEN: 1})


def test_a_json_file_too_large_for_memory_is_read_by_lines(
    store: NodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.lines.MAX_DOCUMENT_BYTES", 100)
    path = m.write_lines(tmp_path / "a.json", [m.fees(1), m.fees(2)])

    assert m.ingest(store, path).messages_in == 2


def test_a_message_of_an_array_is_bounded_like_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.lines.MAX_LINE_BYTES", 100)
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"a": "x" * 200}, {"a": 1}]), encoding="utf-8")

    large, small = read_lines(InputFile(path=path))

    assert large.fault is not None
    assert (large.fault.rule, large.body, small.fault) == (Rule.LINE_TOO_LONG, b"", None)


@pytest.mark.parametrize("content", [b"", b" \r\n\n"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson", "a.json", "a_req.json"])
def test_a_file_with_nothing_in_it_is_a_quarantine_row(
    store: NodeStore, tmp_path: Path, name: str, content: bytes
) -> None:
    packed = gzip.compress(content) if name.endswith(".gz") and content else content
    (tmp_path / name).write_bytes(packed)
    (tmp_path / f"b{name[1:]}").write_bytes(packed)

    for _ in range(2):
        report = m.ingest(store, tmp_path / name)
        assert (report.messages_in, report.by_rule) == (1, {Rule.FILE_TRUNCATED: 1})
    m.ingest(store, tmp_path / f"b{name[1:]}")

    first, second = store.quarantine_rows()
    assert (first.source, second.source) == (name, f"b{name[1:]}")
    assert f"a file of {len(packed)} bytes without any line" in first.reason


def test_an_empty_array_is_whole(store: NodeStore, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")

    assert m.ingest(store, tmp_path / "a.json").quarantined == 0


def test_a_directory_leaves_out_other_json_and_a_named_one_is_read(
    store: NodeStore, tmp_path: Path
) -> None:
    m.write_lines(tmp_path / "a.jsonl", [m.fees(1)])
    m.write_lines(tmp_path / "b.json", [m.fees(2)])

    report = m.ingest(store, tmp_path)

    assert (report.messages_in, report.skipped_files) == (1, ("b.json",))
    assert m.ingest(store, tmp_path / "b.json").records_stored == {"fee_detail": 2}


def _pair(directory: Path, name: str, document: m.Document) -> None:
    request, response = directory / f"{name}_req.json", directory / f"{name}_resp.json"
    request.write_text(json.dumps(document["request"], indent=1), encoding="utf-8")
    if "response" in document:
        response.write_text(json.dumps(document["response"], indent=1), encoding="utf-8")


def test_a_directory_pairs_requests_with_responses(store: NodeStore, tmp_path: Path) -> None:
    _pair(tmp_path, "2204", m.fees(1))
    _pair(tmp_path, "2207", {"request": m.settlement(2)["request"]})
    m.write_lines(tmp_path / "more.jsonl", [m.fees(3)])
    (tmp_path / "error_resp.json").write_text("{}", encoding="utf-8")
    (tmp_path / "README.txt").write_text("hello", encoding="utf-8")

    report = m.ingest(store, tmp_path)

    assert (report.messages_in, report.pending) == (3, 1)
    assert report.records_stored == {"fee_detail": 4}
    assert report.skipped_files == ("README.txt", "error_resp.json")


def test_a_broken_request_or_response_of_a_pair_is_refused(
    store: NodeStore, tmp_path: Path
) -> None:
    _pair(tmp_path, "1", m.fees(1))
    _pair(tmp_path, "2", m.fees(2))
    _pair(tmp_path, "3", m.fees(3))
    (tmp_path / "1_req.json").write_text("{", encoding="utf-8")
    (tmp_path / "2_resp.json").write_text("{", encoding="utf-8")

    report = m.ingest(store, tmp_path)

    assert report.by_rule == {Rule.JSON_BROKEN: 2}
    assert [(row.source, row.field) for row in store.quarantine_rows()] == [
        ("1_req.json", ""),
        ("2_req.json", "response"),
    ]
    assert report.records_stored == {"fee_detail": 2}


def test_what_is_no_input_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(IntakeFileError, match=r"expected \.json, \.jsonl or \.ndjson"):
        find_inputs(tmp_path / "a.xlsx")
    with pytest.raises(IntakeFileError, match="is not there"):
        find_inputs(tmp_path / "none.jsonl")
    with pytest.raises(IntakeFileError, match=r"holds no NAME_req\.json"):
        find_inputs(tmp_path)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntakeFileError, match="cannot be read"):
        list(read_lines(InputFile(path=tmp_path / "gone.jsonl")))


@pytest.mark.parametrize("content", [b"\n", b"{}\n", b"\0"])
def test_a_packed_file_that_grows_without_end_is_left(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.lines.FREE_BYTES", 64 * 1024)
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(content * (1024 * 1024 // len(content)))

    last = list(read_lines(InputFile(path=path)))[-1]

    assert last.fault is not None
    assert last.fault.rule is Rule.FILE_TRUNCATED
    assert "unpacked without end" in last.fault.reason
    assert last.fault.mend.startswith("send the file unpacked")


def test_blank_lines_without_end_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.intake.lines.MAX_BLANK_LINES", 99)
    path = tmp_path / "a.jsonl"
    path.write_bytes((b'{"a": 1}\n' + b"\n" * 90) * 3 + b"\n" * 200 + b'{"b": 2}\n')

    lines = list(read_lines(InputFile(path=path)))

    assert [line.body for line in lines] == [b'{"a": 1}'] * 3 + [b""]
    assert lines[-1].fault is not None
    assert "blank without end" in lines[-1].fault.reason


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"a": 1}\n{"b": 2}\n'.encode("utf-16"), "text in UTF-16"),
        (gzip.compress(b'{"a": 1}\n' * 3, mtime=0), "a gzip file"),
        (b"PK\x03\x04\n\n\n\n", "a zip or a workbook"),
    ],
)
def test_a_file_of_another_format_is_one_refusal(
    tmp_path: Path, content: bytes, found: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)

    (line,) = read_lines(InputFile(path=path))

    assert line.fault is not None
    assert (line.number, line.fault.rule) == (0, Rule.UTF8_INVALID)
    assert found in line.fault.reason
    assert line.fault.mend


def test_names_in_capitals_and_packed_documents_are_read(tmp_path: Path) -> None:
    (tmp_path / "A.JSONL").write_text('{"a": 1}\n', encoding="utf-8")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b'[{"b": 2}, {"b": 3}]'))

    names = [one for name in ("A.JSONL", "b.json.gz") for one in find_inputs(tmp_path / name)[0]]

    assert [len(list(read_lines(one))) for one in names] == [1, 2]
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"[]" * 99)[:-9])
    (broken,) = read_lines(InputFile(path=tmp_path / "b.json.gz"))
    assert broken.fault is not None
    assert broken.fault.rule is Rule.FILE_TRUNCATED


def test_a_pipe_is_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(IntakeFileError, match="neither a file nor a directory"):
        find_inputs(tmp_path / "a.jsonl")
