"""A refused message is found, shown masked, mended and replayed without its neighbours."""

import json
from pathlib import Path

import pytest

from node.domain.institutions import Institution
from node.errors import ConfigurationError
from node.quarantine.desk import short_id
from node.store import NodeStore, QuarantineFilter
from tests.support import node_messages as m
from tests.support.desk import OPERATOR, desk_of, only_row


def refuse_one(store: NodeStore, path: Path) -> str:
    """Ingest two good messages around one with a wrong code; returns its id."""
    documents = [m.settlement(1), m.settlement(2, request={"insutype": "999"}), m.settlement(3)]
    m.ingest_documents(store, path, documents)
    return short_id(only_row(store))


def ids_of(store: NodeStore) -> list[str]:
    return [str(row["setl_id"]) for row in m.rows_of(store, "settlement")]


def test_a_mended_message_goes_in_without_touching_its_neighbours(
    store: NodeStore, tmp_path: Path
) -> None:
    name = refuse_one(store, tmp_path / "in.jsonl")
    neighbours = m.rows_of(store, "settlement")
    mended = desk_of(store).fix(name, OPERATOR, changes=["request.data.insutype=310"])
    assert mended.outcome.standing == "stored"
    assert [(one.place, one.before, one.after) for one in mended.changes] == [
        ("request.input.data.insutype", "999", "310")
    ]
    assert store.quarantine_count() == 0
    rows = m.rows_of(store, "settlement")
    assert len(rows) == 3
    assert [row for row in rows if row in neighbours] == neighbours


def test_the_refused_file_again_makes_no_row_of_what_was_mended(
    store: NodeStore, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    name = refuse_one(store, path)
    desk_of(store).fix(name, OPERATOR, changes=["request.data.insutype=310"])
    report = m.ingest(store, path)
    assert (report.already_seen, report.quarantined) == (3, 0)
    assert store.quarantine_count() == 0
    assert len(ids_of(store)) == 3


def test_who_mended_what_and_when_is_noted_but_never_a_value(
    store: NodeStore, tmp_path: Path
) -> None:
    wrong = {"psn_no": "3303300000000000000000001X" * 3}
    documents = [m.settlement(2, request=wrong, response={"psn_no": m.PERSON})]
    m.ingest_documents(store, tmp_path / "in.jsonl", documents)
    name = short_id(only_row(store))
    desk_of(store).fix(name, OPERATOR, changes=[f"request.data.psn_no={m.PERSON}"])
    entries = store.desk.entries(subject=name)
    assert [(one.operator, one.action, one.detail) for one in entries] == [
        (OPERATOR, "quarantine_fix_stored", ""),
        (OPERATOR, "quarantine_fix", "request.input.data.psn_no"),
    ]
    assert {one.at for one in entries} == {"2026-07-15T04:00:00+00:00"}
    assert m.PERSON not in repr(entries)


def test_a_correction_that_is_refused_again_leaves_the_row_as_it_was(
    store: NodeStore, tmp_path: Path
) -> None:
    name = refuse_one(store, tmp_path / "in.jsonl")
    before = only_row(store)
    body = store.desk.body(before.digest)
    mended = desk_of(store).fix(
        name, OPERATOR, changes=["request.data.insutype=310", "request.data.medfee_sumamt=95.605"]
    )
    assert not mended.outcome.went_in
    assert mended.outcome.rule == "number_scale"
    assert "medfee_sumamt" in mended.outcome.reason
    assert only_row(store) == before
    assert store.desk.body(before.digest) == body
    assert len(ids_of(store)) == 2


def test_a_mended_message_that_waits_for_its_response_waits(
    store: NodeStore, tmp_path: Path
) -> None:
    request = m.settlement(2, request={"insutype": "999"})["request"]
    m.ingest_documents(store, tmp_path / "in.jsonl", [request])
    name = short_id(only_row(store))
    mended = desk_of(store).fix(name, OPERATOR, changes=["data.insutype=310"])
    assert mended.outcome.standing == "pending"
    assert store.counts().pending == 1


def test_a_line_of_a_list_is_chosen_by_its_number(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=3)
    document["request"]["input"]["feedetail"][1]["cnt"] = "many"
    m.ingest_documents(store, tmp_path / "in.jsonl", [document])
    desk = desk_of(store)
    name = short_id(only_row(store))
    with pytest.raises(ConfigurationError, match=r"feedetail has 3 lines; name one"):
        desk.fix(name, OPERATOR, changes=["request.feedetail.cnt=2"])
    marked = [one for one in desk.show(name).outline if one.faulty]
    assert [one.place for one in marked] == ["request.input.feedetail[2].cnt"]
    mended = desk.fix(name, OPERATOR, changes=[f"{marked[0].place}=2"])
    assert mended.outcome.standing == "stored"
    assert len(m.rows_of(store, "fee_detail")) == 3


def test_a_broken_message_is_mended_whole(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"request": {"infno": "2207", \n')
    m.ingest(store, path)
    desk = desk_of(store)
    name = short_id(only_row(store))
    with pytest.raises(ConfigurationError, match="whole corrected message with --file"):
        desk.fix(name, OPERATOR, changes=["request.data.insutype=310"])
    mended = desk.fix(name, OPERATOR, whole=json.dumps(m.settlement(1)).encode())
    assert mended.outcome.standing == "stored"
    assert store.quarantine_count() == 0


def test_the_picture_is_masked_and_marks_the_fault(store: NodeStore, tmp_path: Path) -> None:
    name = refuse_one(store, tmp_path / "in.jsonl")
    picture = desk_of(store).show(name)
    text = repr(picture.outline)
    for personal in (m.PERSON, m.CARD, "收费员甲"):
        assert personal not in text
    (fault,) = [one for one in picture.outline if one.faulty]
    assert (fault.place, fault.value) == ("request.input.data.insutype", "999")
    assert {one.place for one in picture.outline} >= {
        "request.msgid",
        "response.output.setlinfo.medfee_sumamt",
    }


def test_a_reveal_gives_the_line_as_it_came_and_is_noted_first(
    store: NodeStore, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    name = refuse_one(store, path)
    assert desk_of(store).reveal(name, OPERATOR) == path.read_bytes().splitlines()[1]
    (entry,) = store.desk.entries()
    assert (entry.operator, entry.action, entry.subject) == (OPERATOR, "quarantine_reveal", name)
    with pytest.raises(ConfigurationError, match="--operator"):
        desk_of(store).reveal(name, "")


def test_what_lay_outside_of_the_line_is_mended_by_a_replay(
    store: NodeStore, tmp_path: Path
) -> None:
    other = "H33030200099"
    documents = [m.settlement(1)]
    for number in (2, 3):
        document = m.settlement(number)
        text = json.dumps(document).replace(m.HOSPITAL, other)
        documents.append(json.loads(text))
    documents.append(m.settlement(4, request={"insutype": "999"}))
    m.ingest_documents(store, tmp_path / "in.jsonl", documents)
    desk = desk_of(store)
    report = desk.replay((), QuarantineFilter(rule="institution_unknown"))
    assert (report.replayed, dict(report.still)) == (2, {"institution_unknown": 2})
    store.set_institutions([Institution(code=m.HOSPITAL), Institution(code=other)])
    report = desk.replay((), QuarantineFilter(rule="institution_unknown"))
    assert dict(report.standings) == {"stored": 2}
    assert only_row(store).rule == "code_unknown"
    report = desk.replay((), QuarantineFilter())
    assert (report.replayed, dict(report.still)) == (1, {"code_unknown": 1})
    assert len(ids_of(store)) == 3


def test_a_replay_tells_why_a_line_is_refused_now(store: NodeStore, tmp_path: Path) -> None:
    document = m.settlement(2, request={"insutype": "999"})
    text = json.dumps(document).replace(m.HOSPITAL, "H33030200099")
    m.ingest_documents(store, tmp_path / "in.jsonl", [json.loads(text)])
    first = only_row(store)
    assert first.rule == "institution_unknown"
    store.set_institutions([Institution(code="H33030200099")])
    desk_of(store).replay([short_id(first)], None)
    now = only_row(store)
    assert now.rule == "code_unknown"
    assert (now.digest, now.seen_at, now.line) == (first.digest, first.seen_at, first.line)


def test_a_replay_of_everything_twice_changes_nothing_more(
    store: NodeStore, tmp_path: Path
) -> None:
    refuse_one(store, tmp_path / "in.jsonl")
    rows = m.rows_of(store, "settlement")
    for _ in range(2):
        assert desk_of(store).replay((), QuarantineFilter()).replayed == 1
    assert m.rows_of(store, "settlement") == rows
    assert store.quarantine_count() == 1


def test_a_file_that_broke_off_has_nothing_to_replay(store: NodeStore, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"")
    m.ingest(store, tmp_path / "in.jsonl")
    desk = desk_of(store)
    report = desk.replay((), QuarantineFilter())
    assert (report.replayed, report.not_kept) == (0, 1)
    name = short_id(only_row(store))
    assert desk.show(name).body_bytes is None
    with pytest.raises(ConfigurationError, match="ingest that again"):
        desk.fix(name, OPERATOR, changes=["a=1"])


def test_an_id_is_of_one_row(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.settlement(n, request={"insutype": "999"}) for n in range(40)]
    m.ingest_documents(store, tmp_path / "in.jsonl", documents)
    desk = desk_of(store)
    for row in store.quarantine_rows():
        assert desk.find(short_id(row)) == row
        assert desk.find(row.digest.hex().upper()) == row
    for wrong in ("", "abc", "x" * 12, "0" * 65, "f" * 13 + "%"):
        with pytest.raises(ConfigurationError, match="4 to 64 hex digits"):
            desk.find(wrong)
    with pytest.raises(ConfigurationError, match="no row"):
        desk.find("0" * 64)
