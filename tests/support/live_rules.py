"""Live forms over the facts of a case: each visit in turn is the encounter, the rest the past."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from node.domain.records import record_schemas
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter
from node.store.news import Mark
from node.supervision.knowing import StateKnown
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.rules import load_rules
from scoring_kernel.rules.live.encounter import DAY_S, Encounter, Order, moment_of
from scoring_kernel.rules.live.forms import FORMS
from scoring_kernel.rules.live.judge import LiveRules
from scoring_kernel.rules.live.knowledge import KnowledgeIndex
from scoring_kernel.rules.rule import VIOLATING
from security.at_rest import Vault
from tests.support.rule_facts import EVER, Facts, RuleFacts, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring_kernel.rules.live.case import Hit, HitLine
    from scoring_kernel.rules.live.known import Known, TraceFact
    from tests.support.rule_engine import FoundHit

__all__ = ["BOTH_FORMS", "LiveCity", "LiveHit", "expected_hits"]

_RULES: Final = Path(__file__).parents[2] / "scoring_kernel/catalog/rules"
BOTH_FORMS: Final = tuple(
    name
    for name in sorted(FORMS)
    if "\nsql: |" in (_RULES / f"{name}.yaml").read_text(encoding="utf-8")
)
"""Rules that have a live form and SQL."""
_PAIRS: Final = ("M28", "M30", "M33")
"""Rules whose key is another visit."""
_BEFORE_PAYING: Final = ("W01", "W02")
"""Warnings that are given before the fund has paid, whatever it will pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHit:
    """A hit of either form, in words that both can say."""

    key: str | None
    amount_fen: int
    lines: frozenset[tuple[int, int, int]]
    """(visit, line, role) as the live state numbers them."""


class LiveCity:
    """A live state over facts."""

    def __init__(self, directory: Path, facts: RuleFacts) -> None:
        facts.settle()
        vault = Vault(bytes(32))
        self._facts = facts
        self._writer = LiveWriter(directory, vault)
        schemas = record_schemas(load_catalog().records)
        size = sum(len(rows) for rows in facts.records.values())
        self._writer.apply(
            (
                (kind, pa.Table.from_pylist(rows, schemas[kind]))
                for kind, rows in facts.records.items()
            ),
            Mark(size=size, staged=0),
        )
        self.reader = LiveReader(directory, vault)

    def close(self) -> None:
        """Close the state."""
        self.reader.close()
        self._writer.close()

    def visits(self) -> Iterator[Facts]:
        """Give the visits that were settled, by their first settlement."""
        seen = set()
        for row in self._facts.records.get("settlement", ()):
            key = (row["institution"], row["mdtrt_id"])
            if row["sign"] > 0 and key not in seen:
                seen.add(key)
                yield row

    def encounter(self, paid: Facts) -> tuple[Encounter, Known] | None:
        """Make a visit the encounter, as its institution would state it on settling it."""
        digests = self.reader.digests
        number = digests.visit(paid["institution"], paid["mdtrt_id"])
        bare = Encounter(
            institution=paid["institution"],
            mdtrt_id="?",
            person=paid["person"],
            now=moment_of(paid["settled_at"]),
            inpatient=paid["inpatient"],
        )
        visit = next(
            (one for one in StateKnown(self.reader, bare).visits if one.visit == number), None
        )
        if visit is None or not visit.settled:
            return None
        rows = [
            row
            for row in self._facts.records.get("fee_detail", ())
            if (row["institution"], row["mdtrt_id"]) == (paid["institution"], paid["mdtrt_id"])
        ]
        by_line = {digests.word(row["line"]): row for row in rows}
        traces = self._traces(paid)
        orders = tuple(self._order(line, by_line[line.line], traces) for line in visit.lines)
        known_as = self._known_as(paid["person"])
        born = paid["born"] or known_as.get("born")
        encounter = Encounter(
            institution=paid["institution"],
            mdtrt_id=paid["mdtrt_id"],
            person=paid["person"],
            now=moment_of(paid["settled_at"]),
            gender=paid["gender"] or known_as.get("gender"),
            born=None if born is None else born.date(),
            med_type=visit.med_type,
            insutype=visit.insutype,
            inpatient=visit.inpatient,
            begins_at=visit.admitted_at,
            ends_at=visit.discharged_at,
            main_icd=visit.main_icd,
            diagnoses=tuple(
                row["code"]
                for row in self._facts.records.get("diagnosis", ())
                if (row["institution"], row["mdtrt_id"]) == (paid["institution"], paid["mdtrt_id"])
            ),
            fund_fen=visit.fund_fen,
            scope_fen=visit.inscp_fen,
            orders=orders,
        )
        return encounter, self._before(encounter, paid, traces)

    def _known_as(self, person: str) -> Facts:
        rows = [
            row for row in self._facts.records.get("insured_person", ()) if row["person"] == person
        ]
        return max(rows, key=lambda row: row["stated_at"], default={})

    def _traces(self, paid: Facts) -> list[Facts]:
        """Trace codes that were uploaded with a visit's settlement."""
        return [
            row
            for row in self._facts.records.get("trace_code", ())
            if row["institution"] == paid["institution"]
            and (
                (row["what"] == "settlement" and row["mdtrt_id"] == paid["mdtrt_id"])
                or (row["what"] == "sale" and row["setl_id"] == paid["setl_id"])
            )
        ]

    def _before(self, encounter: Encounter, paid: Facts, own: list[Facts]) -> Known:
        """What is known before a settlement: of trace codes, what happened earlier."""
        setl = self.reader.digests.settlement(paid["institution"], paid["setl_id"])
        begun: dict[str, int] = {}
        for row in own:
            at = moment_of(row["occurred_at"])
            begun[row["code"]] = min(begun.get(row["code"], at), at)

        class Before(StateKnown):
            def traces(self, code: str) -> tuple[TraceFact, ...]:
                return tuple(
                    fact
                    for fact in super().traces(code)
                    if fact.what == "purchase"
                    or (fact.setl != setl and fact.at < begun.get(code, fact.at + 1))
                )

        return Before(self.reader, encounter)

    @staticmethod
    def _order(line: Any, row: Facts, traces: list[Facts]) -> Order:  # noqa: ANN401 - a past line
        own = [
            one
            for one in traces
            if one["line"] == row["line"]
            or (
                one["line"] is None
                and one["item_code"] == row["item_code"]
                and row["amount_fen"] > 0
            )
        ]
        return Order(
            id=row["line"],
            item_code=line.item_code,
            at=line.at,
            day=line.at // DAY_S,
            amount_fen=line.amount_fen,
            inscp_fen=line.inscp_fen,
            quantity_e4=line.quantity_e4,
            price_e6=row["price_e6"],
            doctor=row["doctor"],
            days=row["days"],
            dose=row["dose"],
            frequency=row["frequency"],
            cap_e6=row["cap_e6"],
            maternity=row["maternity"],
            emergency=row["emergency"],
            is_refunded=line.is_refunded,
            traces=tuple(dict.fromkeys(one["code"] for one in own)),
            is_split=any(one["split"] for one in own),
        )

    def hits(self, rule: str, paid: Facts) -> list[LiveHit] | None:
        """What the live form of a rule finds of a visit; None where the visit does not stand."""
        stated = self.encounter(paid)
        if stated is None:
            return None
        encounter, known = stated
        if rule in _BEFORE_PAYING and (encounter.fund_fen or 0) <= 0:
            return None
        found = live_rules(_Knowledge(self._facts)).hits(rule, encounter, known)
        return [self._hit(rule, hit, known.visit) for _, hit in found if _is_own(hit)]

    def _hit(self, rule: str, hit: Hit, own: int) -> LiveHit:
        word = self.reader.digests.word
        return LiveHit(
            key=hit.key,
            amount_fen=hit.amount_fen,
            # Evidence of a trace code is the code's upload, not the line.
            lines=frozenset()
            if rule == "M38"
            else frozenset(
                (own, word(line.order.id), line.role) if line.order is not None else _past(line)
                for line in hit.lines
            ),
        )

    def said(self, rule: str, hit: FoundHit) -> LiveHit:
        """Say a hit of the batch as the live form does."""
        digests = self.reader.digests
        rows = {row["record_id"]: row for row in self._facts.records.get("fee_detail", ())}
        key = hit.key
        if rule in _PAIRS and key is not None:
            code = {name: code for code, name in self._facts.names.items()}.get(key, key)
            other = next(row for row in self._facts.records["admission"] if row["mdtrt_id"] == code)
            key = str(digests.visit(other["institution"], code))
        return LiveHit(
            key=None if rule == "W02" else key,
            amount_fen=hit.amount_fen,
            lines=frozenset(
                (
                    digests.visit(rows[record]["institution"], rows[record]["mdtrt_id"]),
                    digests.word(rows[record]["line"]),
                    role,
                )
                for kind, record, role in hit.evidence
                if kind == "fee_detail"
            ),
        )

    def is_of(self, hit: FoundHit, paid: Facts) -> bool:
        """Whether a hit of the batch has a violating record of a visit."""
        if hit.visit is not None:
            return hit.visit == self._facts.names.get(paid["mdtrt_id"], paid["mdtrt_id"])
        for kind, record, role in hit.evidence:
            if role != VIOLATING:
                continue
            for row in self._facts.records.get(kind, ()):
                if row["record_id"] == record and (row["institution"], row.get("mdtrt_id")) == (
                    paid["institution"],
                    paid["mdtrt_id"],
                ):
                    return True
        return False


def expected_hits(city: LiveCity, rule: str, found: list[FoundHit], paid: Facts) -> list[LiveHit]:
    """Hits of the batch that a visit has violating records in."""
    return [city.said(rule, hit) for hit in found if city.is_of(hit, paid)]


def _past(line: HitLine) -> tuple[int, int, int]:
    assert line.past is not None
    return line.past.visit.visit, line.past.line, line.role


def _is_own(hit: Hit) -> bool:
    violating = [line for line in hit.lines if line.role == VIOLATING]
    return not hit.lines or any(line.order is not None for line in violating)


class _Knowledge:
    """Knowledge of a case; equal when its rows are."""

    def __init__(self, facts: RuleFacts) -> None:
        self.rows = facts.knowledge

    def __hash__(self) -> int:
        return hash(repr(self.rows))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Knowledge) and repr(self.rows) == repr(other.rows)


@cache
def live_rules(knowledge: _Knowledge) -> LiveRules:
    """Make the live forms ready with the knowledge of a case."""
    book = load_rules()
    tables: dict[str, list[Facts]] = {}
    for name, table in book.knowledge.items():
        rows: list[Facts] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        if name in knowledge.rows:
            rows = [
                {
                    **dict.fromkeys(table.columns),
                    **row,
                    "begins_at": moment(row.get("begins_at") or EVER),
                    "ends_at": None if row.get("ends_at") is None else moment(row["ends_at"]),
                }
                for row in knowledge.rows[name]
            ]
        tables[name] = rows
    return LiveRules(book, KnowledgeIndex(tables))
