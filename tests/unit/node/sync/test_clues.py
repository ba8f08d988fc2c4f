"""Join records and clues are stated where they changed, and a hub takes what a node states."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from hub.store import clues as held_clues
from hub.store import join_records as held_records
from hub.store import quarantine
from hub.store.engine import reading
from node.domain.clue_drafts import ClueDraft, JoinFacts, MeasureMonths, Place, Pointer
from node.supervision.join_facts import SCHEMA
from node.sync import clues as clues_module
from node.sync import restating
from node.sync.clues import (
    KeyedPeriod,
    Outgoing,
    periods_of_rows,
    state_clues,
    state_join_records,
    trace_digest,
)
from node.sync.flow import Link
from protos.yixin.v1 import clue_pb2, envelope_pb2, exchange_pb2
from scoring_kernel import load_catalog
from scoring_kernel.joining import JoinKind
from security.at_rest import Vault
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.outbox import Outbox
from tests.support.hub_city import FIRST, NODE, SECOND, THIRD, City, open_city
from tests.support.join_payloads import KEYS, mark, minute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TODAY = date(2026, 11, 1)
BULK = int(envelope_pb2.LANE_BULK)
ANN, BOB = "330302199001011234", "330302199001011235"


@dataclass(slots=True, kw_only=True)
class Node:
    """A node's outbox, and the hub at the other end."""

    city: City
    out: Outgoing
    payloads: list[bytes] = field(default_factory=list)

    def send(self) -> int:
        """Seal and submit what waits; returns the refused parts."""
        link, now_ms = self.out.link, self.city.clock.ms
        with link.engine.begin() as connection:
            sealed = link.outbox.seal_ahead(
                connection, link.membership.hub_id, link.membership.sealing_context(now_ms)
            )
        envelopes = [envelope_pb2.SealedEnvelope.FromString(row.envelope) for row in sealed]
        refused = 0
        for result in self.city.submit(*envelopes):
            assert isinstance(result, exchange_pb2.Receipt), result
            refused += exchange_pb2.ReceiptBody.FromString(result.body).quarantined_parts
        return refused

    def waiting(self) -> list[bytes]:
        """Payloads in the outbox, opened."""
        from security.exchange.tables import outbox  # noqa: PLC0415 - what lies in the outbox

        link = self.out.link
        vault = link.outbox._vault  # noqa: SLF001 - opens what it sealed
        with link.engine.begin() as connection:
            rows = connection.execute(outbox.select().order_by(outbox.c.id)).all()
        return [vault.open(row.payload, f"x_outbox/{row.token}") for row in rows]

    def records(self) -> int:
        with reading(self.city.parts.engine) as connection:
            return held_records.figures(connection).records

    def clues(self, *, gone: bool = False) -> list[held_clues.ClueRow]:
        wanted = held_clues.ClueFilter(gone=gone)
        with reading(self.city.parts.engine) as connection:
            return [*held_clues.list_clues(connection, wanted, 100)]

    def faults(self) -> list[str]:
        with reading(self.city.parts.engine) as connection:
            return [row.fault.mend for row in quarantine.quarantined(connection)]


@pytest.fixture(scope="module")
def made_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "hub"
    with open_city(directory):
        pass
    return directory


@pytest.fixture
def node(made_hub: Path, tmp_path: Path) -> Iterator[Node]:
    shutil.copytree(made_hub, tmp_path / "hub")
    with open_city(tmp_path / "hub") as city:
        sender = city.enrol(tmp_path / "member", NODE, FIRST, SECOND)
        vault = Vault.create(tmp_path / "vault.key")
        link = Link(
            membership=sender.membership,
            engine=open_exchange(tmp_path / "exchange.db"),
            outbox=Outbox(vault),
            inbox=Inbox(vault),
        )
        out = Outgoing(
            link=link,
            joining=load_catalog().joining,
            custody={FIRST, SECOND},
            today=TODAY,
            pack_digest=load_catalog().digest,
        )
        yield Node(city=city, out=out)
        link.engine.dispose()


def facts(kind: JoinKind, *rows: tuple[str, str, str, str, int], drug_class: str = "") -> JoinFacts:
    """Facts of (institution, who, begins, ends, leaf)."""
    columns = [
        (place, who, minute(begins), minute(ends or begins), drug_class, leaf)
        for place, who, begins, ends, leaf in rows
    ]
    table = pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in columns], SCHEMA
    )
    return JoinFacts(kind=kind, rows=table)


STAY = (FIRST, ANN, "2026-10-01 09:00", "2026-10-08 10:00", 7)
LATER = (SECOND, BOB, "2026-10-02 09:00", "2026-10-09 10:00", 8)
PERIOD = KeyedPeriod(period="2026H2", keys_digest=KEYS, tokens={ANN: mark("ann"), BOB: mark("bob")})
PLACE = Place(institution=FIRST, latitude_e6=28_000_000, longitude_e6=120_000_000)


def stays(node: Node, *rows: tuple[str, str, str, str, int], **changes: object) -> int:
    period = replace(PERIOD, **changes)  # type: ignore[arg-type]  # fields
    return state_join_records(node.out, facts(JoinKind.STAY, *rows), period, [PLACE])


def draft(number: int = 1, **changes: object) -> ClueDraft:
    made = ClueDraft(
        id=number.to_bytes(16, "big"),
        source="M33",
        version="2021-05-01",
        institution=FIRST,
        month=202610,
        person=ANN,
        staff=("D330302000001",),
        score=700,
        amount_fen=120_000,
        verdict="violation",
        evidence=(Pointer(kind="settlement", leaf=7, involved=False),),
        evidence_count=2,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields


def test_records_are_stated_once_and_the_hub_takes_them(node: Node) -> None:
    assert stays(node, STAY, LATER) == 2
    assert stays(node, STAY, LATER) == 0
    assert node.send() == 0
    assert node.records() == 2
    with reading(node.city.parts.engine) as connection:
        assert held_records.places(connection).keys() == {FIRST}


def test_only_what_changed_is_stated_again(node: Node) -> None:
    stays(node, STAY, LATER)
    node.send()
    moved = (FIRST, ANN, "2026-10-01 09:00", "2026-10-08 11:00", 9)
    assert stays(node, moved, LATER) == 1
    assert node.send() == 0
    assert node.records() == 2


def test_what_is_there_no_longer_is_stated_empty_once(node: Node) -> None:
    stays(node, STAY, LATER)
    node.send()
    assert stays(node, LATER) == 1
    assert stays(node, LATER) == 0
    assert node.send() == 0
    assert node.records() == 1
    assert stays(node, STAY, LATER) == 1
    assert node.send() == 0
    assert node.records() == 2


def test_what_the_hub_keeps_no_longer_is_neither_stated_nor_remembered(node: Node) -> None:
    stays(node, STAY)
    node.send()
    node.out = replace(node.out, today=date(2027, 4, 10))
    assert stays(node) == 0
    with node.out.link.engine.begin() as connection:
        assert node.out.link.outbox.get_marks(connection, "join|") == {}


def test_other_keys_state_everything_again(node: Node) -> None:
    stays(node, STAY, LATER)
    node.send()
    assert stays(node, STAY, LATER, keys_digest=bytes(32)) == 2
    assert node.send() == 0


def test_the_names_of_persons_are_in_no_payload(node: Node) -> None:
    stays(node, STAY, LATER)
    state_clues(node.out, [draft()], {"2026H2": PERIOD})
    payloads = node.waiting()
    assert len(payloads) == 2
    assert [payload for payload in payloads if ANN[:10].encode() in payload] == []


def test_only_institutions_in_custody_and_persons_with_a_token_are_spoken_of(node: Node) -> None:
    foreign = (THIRD, ANN, "2026-10-01 09:00", "2026-10-08 10:00", 7)
    nameless = (FIRST, "330302199001019999", "2026-10-01 09:00", "2026-10-08 10:00", 7)
    assert stays(node, foreign, nameless) == 0
    assert state_clues(node.out, [draft(institution=THIRD)], {}) == 0


def test_a_record_is_sent_for_each_period_it_touches(node: Node) -> None:
    over = (FIRST, ANN, "2026-06-20 09:00", "2026-07-10 10:00", 7)
    assert {*periods_of_rows(node.out, facts(JoinKind.STAY, over))} == {
        ("2026H1", ANN),
        ("2026H2", ANN),
    }
    assert stays(node, over, STAY) == 2
    assert stays(node, over, STAY, period="2026H1") == 1
    assert node.send() == 0
    assert node.records() == 3


def test_sessions_of_staff_go_by_their_code_without_a_period(node: Node) -> None:
    row = (FIRST, "D330302000001", "2026-10-01 09:00", "2026-10-01 11:00", 7)
    assert state_join_records(node.out, facts(JoinKind.SESSION, row), None, []) == 1
    (payload,) = node.waiting()
    found = clue_pb2.JoinRecords.FromString(payload)
    assert (found.period, found.keys_digest) == ("", b"")
    assert found.days[0].rows.marks == b"D330302000001" + bytes(3)
    assert node.send() == 0
    assert node.records() == 1


def test_a_finding_of_a_topic_goes_with_its_measures(node: Node) -> None:
    measures = (MeasureMonths(measure_set="stay", month=202610, months=6, digest=bytes(32)),)
    topic = draft(source="T04", person=None, evidence=(), evidence_count=0, measures=measures)
    assert state_clues(node.out, [topic], {}) == 1
    assert node.send() == 0
    (clue,) = node.clues()
    assert (clue.source, clue.person, clue.detail["evidence"]) == ("T04", None, [])
    assert [one["measure_set"] for one in clue.detail["measures"]] == ["stay"]
    assert state_clues(node.out, [], {}) == 1, "it is withdrawn as a hit of a rule is"
    assert node.send() == 0
    assert node.clues() == []


def test_a_clue_that_the_hub_keeps_no_longer_is_not_taken_back_again(node: Node) -> None:
    state_clues(node.out, [draft(person=None)], {})
    node.out = replace(node.out, today=date(2029, 11, 1))
    assert state_clues(node.out, [], {}) == 0
    with node.out.link.engine.begin() as connection:
        assert node.out.link.outbox.get_marks(connection, "clue|") == {}


def test_trace_codes_go_as_digests_without_a_period(node: Node) -> None:
    sold = facts(JoinKind.TRACE, (FIRST, "8123", "2026-10-01 09:00", "", 7))
    assert state_join_records(node.out, sold, None, []) == 1
    (payload,) = node.waiting()
    found = clue_pb2.JoinRecords.FromString(payload)
    assert (found.period, found.keys_digest, len(found.places)) == ("", b"", 0)
    assert found.days[0].rows.marks == trace_digest("8123")
    assert node.send() == 0
    assert node.records() == 1


def test_classes_of_drugs_are_named_once_a_day(node: Node) -> None:
    rows = [(FIRST, who, "2026-10-01 00:00", "", leaf) for leaf, who in enumerate([ANN, BOB])]
    given = facts(JoinKind.DISPENSE, *rows, drug_class="XN05C")
    assert state_join_records(node.out, given, PERIOD, []) == 1
    found = clue_pb2.JoinRecords.FromString(node.waiting()[0])
    assert [*found.days[0].classes] == ["XN05C"]
    assert node.send() == 0
    assert node.records() == 2


def test_a_day_that_is_too_large_is_cut_and_shrinks_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clues_module, "PART_ROWS", 2)
    rows = [(FIRST, ANN, "2026-10-01 09:00", "2026-10-08 10:00", leaf) for leaf in range(5)]
    assert stays(node, *rows) == 3
    assert node.send() == 0
    assert node.records() == 5
    assert stays(node, *rows[:1]) == 3
    assert node.send() == 0
    assert node.records() == 1


def test_payloads_are_bounded(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restating, "PAYLOAD_BYTES", 200)
    rows = [
        (FIRST, ANN, f"2026-10-{day:02} 09:00", f"2026-10-{day:02} 10:00", day)
        for day in range(1, 11)
    ]
    assert stays(node, *rows) == 10
    payloads = node.waiting()
    assert len(payloads) > 2
    assert node.send() == 0
    assert node.records() == 10


def test_clues_are_stated_once_changed_and_taken_back(node: Node) -> None:
    periods = {"2026H2": PERIOD}
    assert state_clues(node.out, [draft(1), draft(2, person=None)], periods) == 1
    assert state_clues(node.out, [draft(2, person=None), draft(1)], periods) == 0
    assert node.send() == 0
    found = {one.id[-1]: one for one in node.clues()}
    assert (found[1].person, found[2].person) == (mark("ann"), None)
    assert found[1].staff == ("D330302000001",)
    assert state_clues(node.out, [draft(2, person=None)], periods) == 1
    assert node.send() == 0
    assert [one.id[-1] for one in node.clues()] == [2]
    assert state_clues(node.out, [], periods) == 1
    assert node.send() == 0
    assert node.clues() == []
    assert len(node.clues(gone=True)) == 2


def test_a_clue_of_a_period_without_tokens_goes_without_its_person(node: Node) -> None:
    assert state_clues(node.out, [draft()], {}) == 1
    assert node.send() == 0
    (found,) = node.clues()
    assert found.person is None
    assert node.faults() == []


def test_many_clues_of_a_month_are_cut(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clues_module, "PART_CLUES", 2)
    assert state_clues(node.out, [draft(n) for n in range(1, 6)], {"2026H2": PERIOD}) == 3
    assert node.send() == 0
    assert len(node.clues()) == 5
