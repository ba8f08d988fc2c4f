"""Clues (线索) made of rule hits: what leaves of a hit, before its person has a link token.

Rules:
- A clue keeps the hit's id, which is keyed by the node: nobody can try visits out against it.
- It names an institution, staff by their national codes, and one person at most; a hit about many
  persons names none. What is no national code of staff is left out: it could be a number of theirs.
- Evidence is the number of a record's leaf; the record itself leaves only when it is asked for.
- Hits that are gone make no clue: the hub then marks what it was told as gone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from node.domain.clue_drafts import ClueDraft, Pointer
from node.domain.rule_hits import Evidence, HitBody
from node.store.hits import HitFilter, HitRow
from scoring_kernel.joining import ClueScore
from scoring_kernel.rules import INVOLVED, RuleBook
from scoring_kernel.subject_ids import STAFF, is_subject_id

__all__ = ["HitSource", "read_drafts"]

MAX_POINTERS: Final = 8
"""Records that a clue points at; a hit lists the violating ones first."""
MAX_STAFF: Final = 64
_PAGE: Final = 2_000


class HitSource(Protocol):
    """The hits of a node."""

    def hits(
        self, wanted: HitFilter | None = None, *, limit: int = 100, offset: int = 0
    ) -> tuple[HitRow, ...]:
        """List hits that stand, in a stable order, without their bodies."""

    def body(self, hit: bytes) -> HitBody:
        """Open the body of a hit."""


def read_drafts(
    source: HitSource,
    book: RuleBook,
    score: ClueScore,
    engine: duckdb.DuckDBPyConnection,
    kinds: frozenset[str],
) -> Iterator[ClueDraft]:
    """Make a draft of every hit that stands.

    Args:
        source: The hits.
        book: Severity of the rules; a hit of a rule that is no longer in it makes no clue.
        score: How clues are scored.
        engine: Engine with a numbered relation for each of ``kinds``.
        kinds: Kinds that evidence may name.

    Raises:
        StoreError: A body is damaged or of another release.
    """
    offset = 0
    while rows := source.hits(limit=_PAGE, offset=offset):
        offset += len(rows)
        known = [row for row in rows if row.rule in book.rules]
        bodies = [source.body(row.id) for row in known]
        leaves = _leaves(engine, kinds, bodies)
        for row, body in zip(known, bodies, strict=True):
            yield ClueDraft(
                id=row.id,
                source=row.rule,
                version=row.version,
                institution=row.institution,
                month=row.month,
                person=body.persons[0] if len(body.persons) == 1 else None,
                staff=tuple(code for code in body.staff if is_subject_id(STAFF, code))[:MAX_STAFF],
                score=score.of(row.verdict, book.rules[row.rule].severity, row.amount_fen),
                amount_fen=row.amount_fen,
                verdict=row.verdict,
                evidence=_pointers(body, leaves),
                evidence_count=body.records,
            )


def _pointers(body: HitBody, leaves: Mapping[tuple[str, str], int]) -> tuple[Pointer, ...]:
    return tuple(
        Pointer(kind=one.kind, leaf=leaves[one.kind, one.record_id], involved=one.role == INVOLVED)
        for one in _listed(body)
        if (one.kind, one.record_id) in leaves
    )


def _listed(body: HitBody) -> Sequence[Evidence]:
    return body.evidence[:MAX_POINTERS]


def _leaves(
    engine: duckdb.DuckDBPyConnection, kinds: frozenset[str], bodies: Sequence[HitBody]
) -> dict[tuple[str, str], int]:
    """Numbers of leaves by kind and record id; a record that is gone has none."""
    wanted: dict[str, set[str]] = {}
    for body in bodies:
        for one in _listed(body):
            wanted.setdefault(one.kind, set()).add(one.record_id)
    found: dict[tuple[str, str], int] = {}
    for kind, records in wanted.items():
        if kind not in kinds:
            continue
        engine.register("wanted_records", pa.table({"record_id": sorted(records)}))
        rows = engine.execute(
            f"select record_id, max(_seq) from {kind}__numbered"  # noqa: S608 - a kind of the catalogue
            " semi join wanted_records using (record_id) group by record_id"
        ).fetchall()
        engine.unregister("wanted_records")
        found.update({(kind, record): leaf for record, leaf in rows})
    return found
