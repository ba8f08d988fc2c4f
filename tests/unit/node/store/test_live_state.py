"""The live state: facts by digest, one transaction with the mark, begun again when it is no use."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from node.domain.records import record_schemas
from node.errors import StoreError
from node.store import live_reader
from node.store.live_digests import Digests
from node.store.live_facts import FactKind
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter, Said, ToldRow
from node.store.news import NO_MARK, Mark
from scoring_kernel import load_catalog
from security.at_rest import Vault
from tests.support.node_messages import VAULT_KEY
from tests.support.rule_facts import RuleFacts, short_code

MARK = Mark(size=7, staged=3)
CASE = {
    "visits": {"V1": {"person": "P1", "begins": "2026-03-02 09:00", "diagnoses": ["I10.x00"]}},
    "lines": [{"visit": "V1", "item": "XC08", "amount": 10.0, "doctor": "D1"}],
    "records": {
        "identity_event": [
            {"person": "P1", "at": "2026-03-02 08:55", "place": "window", "result": "match"}
        ],
        "trace_code": [{"visit": "V1", "code": "8123", "what": "settlement", "source": "a"}],
        "agreement_status": [{"status": "active", "begins_at": "2025-01-01"}],
    },
}


def tables(case: dict[str, Any] = CASE) -> list[tuple[str, pa.Table]]:
    facts = RuleFacts.of(case)
    facts.settle()
    schemas = record_schemas(load_catalog().records)
    return [
        (kind, pa.Table.from_pylist(rows, schemas[kind])) for kind, rows in facts.records.items()
    ]


@pytest.fixture
def vault() -> Vault:
    return Vault(VAULT_KEY)


@pytest.fixture
def writer(tmp_path: Path, vault: Vault) -> Iterator[LiveWriter]:
    opened = LiveWriter(tmp_path, vault)
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path: Path, vault: Vault) -> Iterator[LiveReader]:
    opened = LiveReader(tmp_path, vault)
    yield opened
    opened.close()


def kinds_of_visits(reader: LiveReader, person: str = "P1") -> list[int]:
    found = reader.person(reader.digests.person(short_code(person)))
    return sorted(fact.kind for fact in found)


def test_facts_are_found_by_their_places(writer: LiveWriter, reader: LiveReader) -> None:
    assert writer.apply(tables(), MARK) == 8
    assert reader.applied == writer.applied == MARK
    assert kinds_of_visits(reader) == [
        FactKind.ADMISSION,
        FactKind.SETTLEMENT,
        FactKind.DIAGNOSIS,
        FactKind.FEE_DETAIL,
    ]
    digests = reader.digests
    places = [
        digests.person(short_code("P1")),
        digests.institution(short_code("H1")),
        digests.trace("8123"),
        digests.trace("9999"),
    ]
    assert sorted(fact.kind for fact in reader.facts(places)) == [
        FactKind.TRACE_CODE,
        FactKind.IDENTITY_EVENT,
        FactKind.AGREEMENT_STATUS,
    ]
    assert reader.person(digests.person(short_code("P2"))) == []


def test_the_same_records_again_change_nothing(writer: LiveWriter, reader: LiveReader) -> None:
    writer.apply(tables(), MARK)
    before = kinds_of_visits(reader)
    writer.apply(tables(), MARK)
    assert kinds_of_visits(reader) == before


def test_no_id_and_no_name_is_in_the_file(tmp_path: Path, writer: LiveWriter) -> None:
    writer.apply(tables(), MARK)
    writer.close()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("live.db*"))
    for name in ("P1", "V1", "D1"):
        assert short_code(name).encode() not in content
    for word in (b"8123", b"V1S", b"L1"):
        assert word not in content
    assert (tmp_path / "live.db").stat().st_mode & 0o777 == 0o600


def test_digests_are_of_this_state_alone(tmp_path: Path, vault: Vault, writer: LiveWriter) -> None:
    (tmp_path / "other").mkdir()
    other = LiveWriter(tmp_path / "other", vault)
    mine, theirs = LiveReader(tmp_path, vault), LiveReader(tmp_path / "other", vault)
    assert mine.digests.person("x") != theirs.digests.person("x")
    assert mine.digests.person("x") != mine.digests.institution("x")
    for one in (other, mine, theirs):
        one.close()
    assert Digests(bytes(32)).trace("x") == Digests(bytes(32)).trace("x")
    assert writer.applied == NO_MARK


def test_a_batch_that_fails_leaves_nothing(writer: LiveWriter, reader: LiveReader) -> None:
    def batches() -> Iterator[tuple[str, pa.Table]]:
        yield from tables()
        raise StoreError("the source failed")

    with pytest.raises(StoreError, match="the source failed"):
        writer.apply(batches(), MARK)
    assert writer.applied == NO_MARK
    assert kinds_of_visits(reader) == []


def _damage(path: Path) -> None:
    path.write_bytes(b"no database" * 100)


def _other_form(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update meta set value = x'39' where key = 'form'")
    connection.close()


def _no_secret(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update meta set value = x'00' where key = 'secret'")
    connection.close()


@pytest.mark.parametrize("spoil", [_damage, _other_form, _no_secret, Path.unlink])
def test_a_state_that_is_no_use_is_begun_again(
    tmp_path: Path, vault: Vault, spoil: Callable[[Path], None]
) -> None:
    writer = LiveWriter(tmp_path, vault)
    writer.apply(tables(), MARK)
    writer.close()
    spoil(tmp_path / "live.db")
    reader = LiveReader(tmp_path, vault)
    with pytest.raises(StoreError, match="daemon makes it"):
        reader.person(1)
    again = LiveWriter(tmp_path, vault)
    assert again.applied == NO_MARK
    again.apply(tables(), MARK)
    assert len(kinds_of_visits(reader)) == 4
    reader.close()
    again.close()


def test_a_state_is_read_in_a_directory_named_from_where_one_stands(
    tmp_path: Path, vault: Vault, writer: LiveWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.apply(tables(), MARK)
    monkeypatch.chdir(tmp_path.parent)
    reader = LiveReader(Path(tmp_path.name), vault)
    assert len(kinds_of_visits(reader)) == 4
    reader.close()


def test_a_key_of_another_node_begins_again(tmp_path: Path, writer: LiveWriter) -> None:
    writer.apply(tables(), MARK)
    writer.close()
    again = LiveWriter(tmp_path, Vault(bytes(32)))
    assert again.applied == NO_MARK
    again.close()


def test_a_writer_that_was_killed_loses_nothing_it_had_applied(
    tmp_path: Path, vault: Vault, writer: LiveWriter
) -> None:
    writer.apply(tables(), MARK)
    # Neither closed nor checkpointed: another process finds the file and its log.
    other = LiveWriter(tmp_path, vault)
    assert other.applied == MARK
    other.close()


def test_what_ended_long_ago_is_removed(writer: LiveWriter, reader: LiveReader) -> None:
    writer.apply(tables(), MARK)
    day = 20_514  # 2026-03-02
    assert writer.purge(day, 0) == 0
    assert len(kinds_of_visits(reader)) == 4
    assert writer.purge(day + 1, 0) == 1
    assert writer.purge(day + 1, 0) == 0
    assert kinds_of_visits(reader) == []
    person, trace = reader.digests.person(short_code("P1")), reader.digests.trace("8123")
    assert [fact.kind for fact in reader.facts([person, trace])] == [FactKind.TRACE_CODE]


def test_months_that_retention_deleted_are_forgotten(
    writer: LiveWriter, reader: LiveReader
) -> None:
    writer.apply(tables(), MARK)
    writer.forget_months("trace_code", [202_602])
    assert reader.facts([reader.digests.trace("8123")])
    writer.forget_months("trace_code", [202_603])
    assert reader.facts([reader.digests.trace("8123")]) == []
    writer.forget_months("raw", [202_603])


def test_a_person_with_too_much_is_not_read(
    writer: LiveWriter, reader: LiveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.apply(tables(), MARK)
    monkeypatch.setattr(live_reader, "MAX_FACTS", 3)
    with pytest.raises(StoreError, match="more than 3 facts"):
        kinds_of_visits(reader)


def test_feedback_is_counted_by_warning(writer: LiveWriter, reader: LiveReader) -> None:
    told = [
        ToldRow(f"m-{number}", "W08" if number < 4 else "W02", "M01", "warn", 20_000)
        for number in range(5)
    ]
    said = Said(told=told, answered=[("2", "m-0"), ("1", "m-1"), ("1", "m-4"), ("1", "other")])
    writer.apply((), MARK, said)
    writer.apply((), MARK, Said(told=told))
    assert reader.feedback() == {
        "W02": {"told": 1, "accepted": 0, "justified": 1, "ignored": 0},
        "W08": {"told": 4, "accepted": 1, "justified": 1, "ignored": 2},
    }
    writer.purge(0, 20_001)
    assert reader.feedback() == {}


def test_counts_add_up(writer: LiveWriter, reader: LiveReader) -> None:
    writer.count(20_000, {"asked": 2})
    writer.count(20_000, {"asked": 3, "blocked": 1})
    writer.count(20_001, {"asked": 1})
    assert reader.counted() == {"asked": 6, "blocked": 1}


def test_knowledge_is_put_and_read(writer: LiveWriter, reader: LiveReader) -> None:
    assert reader.knowledge_digest() is None
    with pytest.raises(StoreError, match="no knowledge"):
        reader.knowledge()
    writer.note_knowledge(b"1", b"{}")
    assert (reader.knowledge_digest(), reader.knowledge()) == (b"1", b"{}")


def test_a_damaged_file_is_told(tmp_path: Path, writer: LiveWriter) -> None:
    writer.check()
    (tmp_path / "live.db").unlink()
    with pytest.raises(StoreError, match="is not there"):
        writer.check()
