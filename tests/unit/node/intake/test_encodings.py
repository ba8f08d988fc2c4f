"""Messages in UTF-8 and in GB18030; what is neither is refused, never guessed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.faults import Rule
from node.intake.encodings import as_utf8
from node.store import NodeStore
from tests.support import node_messages as m

CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2)


@pytest.mark.parametrize(
    "text", ["张三", "鹿城区仿真附属医院1号", "药品追溯码", "𠮷野家", '{"opter_name": "收费员甲"}']
)
def test_both_encodings_of_a_text_are_read(text: str) -> None:
    assert as_utf8(text.encode()) == text.encode()
    assert as_utf8(text.encode("gb18030")) == text.encode()


@given(CHINESE)
def test_gb18030_is_read_or_refused_never_misread(text: str) -> None:
    """Rare signs in a row may look like broken UTF-8, or be UTF-8."""
    sent = text.encode("gb18030")
    assert as_utf8(sent) in {text.encode(), sent, None}


@given(CHINESE, st.data())
def test_utf8_with_a_byte_lost_is_never_read_as_something_else(
    text: str, data: st.DataObject
) -> None:
    whole = text.encode()
    lost = data.draw(st.integers(0, len(whole) - 1))

    assert as_utf8(whole[:lost] + whole[lost + 1 :]) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_utf8_or_refused(raw: bytes) -> None:
    read = as_utf8(raw)
    assert read is None or read.decode().encode() == read


@pytest.mark.parametrize("layout", ["lines", "array", "pair"])
def test_files_in_gb18030_are_read_beside_utf8(
    store: NodeStore, tmp_path: Path, layout: str
) -> None:
    document = m.settlement(1)
    document["request"]["dev_safe_info"] = "收费处一号窗口"
    other = m.settlement(2)
    if layout == "lines":
        path = tmp_path / "a.jsonl"
        lines = [
            json.dumps(document, ensure_ascii=False).encode("gb18030"),
            json.dumps(other, ensure_ascii=False).encode(),
        ]
        path.write_bytes(b"\n".join(lines) + b"\n")
    elif layout == "array":
        path = tmp_path / "a.json"
        path.write_bytes(json.dumps([document, other], ensure_ascii=False).encode("gb18030"))
    else:
        path = tmp_path
        for name, part in (("req", "request"), ("resp", "response")):
            for number, one in enumerate((document, other)):
                body = json.dumps(one[part], ensure_ascii=False).encode("gb18030")
                (tmp_path / f"{number}_{name}.json").write_bytes(body)

    report = m.ingest(store, path)

    assert (report.quarantined, report.records_stored) == (0, {"settlement": 2})
    m.ingest_documents(store, tmp_path / "again.jsonl", [document])
    assert store.counts().messages == 2


def test_what_is_in_neither_encoding_is_one_quarantine_row(
    store: NodeStore, tmp_path: Path
) -> None:
    body = json.dumps(m.settlement(1), ensure_ascii=False).encode()
    (tmp_path / "a.jsonl").write_bytes(body.replace("甲".encode(), "甲".encode()[:-1]) + b"\n")

    report = m.ingest(store, tmp_path / "a.jsonl")

    assert report.by_rule == {Rule.UTF8_INVALID: 1}
