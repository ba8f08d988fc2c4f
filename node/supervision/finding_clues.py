"""Clues (线索) made of topics' findings: what leaves of a finding, before its person has a token.

Rules:
- A clue keeps the finding's id, which is keyed by the node.
- A finding about a person points at the person's settlements of the month, one about a visit at the
  visit's settlement; every finding points at the measures that it was found in.
- A finding about a person that names no institution belongs to the one where most of these
  settlements were made; where none stands any more, there is no clue.
- What is no national code of staff is left out: it could be a number of theirs.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import duckdb
import pyarrow as pa

from node.domain.clue_drafts import ClueDraft, Pointer
from node.domain.topic_findings import TopicFinding
from node.errors import StoreError
from node.supervision.clues import MAX_POINTERS
from scoring_kernel.joining import ClueScore
from scoring_kernel.subject_ids import STAFF, is_subject_id

__all__ = ["read_finding_drafts"]

_PAGE: Final = 2_000
_KIND: Final = "settlement"
_WANTED: Final = pa.schema(
    [
        ("id", pa.binary()),
        ("institution", pa.string()),
        ("person", pa.string()),
        ("visit", pa.string()),
        ("month", pa.int32()),
    ]
)
_SETTLEMENTS: Final = """
    with made as (
        select w.id, c.institution, c.person, c.settled_at, n._seq as leaf
        from wanted_findings w
        join claim_settlement c on c.person = w.person
        join settlement__numbered n on n.institution = c.institution and n.setl_id = c.setl_id
            and n.sign = 1
        where year(c.settled_at) * 100 + month(c.settled_at) = w.month
            and (w.institution is null or w.institution = c.institution)
        union all
        select w.id, c.institution, c.person, c.settled_at, n._seq
        from wanted_findings w
        join claim_settlement c on c.institution = w.institution and c.mdtrt_id = w.visit
        join settlement__numbered n on n.institution = c.institution and n.setl_id = c.setl_id
            and n.sign = 1
        where w.person is null
    )
    select id, institution, max(person) as person,
        list(leaf order by settled_at, leaf)[:$most] as leaves, count(*) as settlements
    from made group by id, institution
    qualify row_number() over (partition by id order by settlements desc, institution) = 1
"""


def read_finding_drafts(
    findings: Iterable[TopicFinding], score: ClueScore, engine: duckdb.DuckDBPyConnection
) -> Iterator[ClueDraft]:
    """Make a draft of every finding.

    Args:
        findings: Findings that stand.
        score: How clues are scored.
        engine: Engine of ``join_facts.open_facts``.

    Raises:
        StoreError: The records cannot be read.
    """
    page: list[TopicFinding] = []
    for one in findings:
        page.append(one)
        if len(page) == _PAGE:
            yield from _drafts(page, score, engine)
            page = []
    yield from _drafts(page, score, engine)


def _drafts(
    page: list[TopicFinding], score: ClueScore, engine: duckdb.DuckDBPyConnection
) -> Iterator[ClueDraft]:
    made = _settlements(page, engine)
    for one in page:
        institution, person, leaves, settlements = made.get(one.id, (None, None, [], 0))
        place = one.institution or institution
        if place is None:
            continue
        staff = one.body.staff
        yield ClueDraft(
            id=one.id,
            source=one.topic,
            version=one.version,
            institution=place,
            month=one.month,
            person=one.body.person or person,
            staff=(staff,) if staff is not None and is_subject_id(STAFF, staff) else (),
            score=score.of(one.verdict, one.severity, one.amount_fen),
            amount_fen=one.amount_fen,
            verdict=one.verdict,
            evidence=tuple(Pointer(kind=_KIND, leaf=leaf, involved=False) for leaf in leaves),
            evidence_count=settlements,
            measures=one.body.measures,
        )


def _settlements(
    page: list[TopicFinding], engine: duckdb.DuckDBPyConnection
) -> dict[bytes, tuple[str, str, list[int], int]]:
    """Institution, person, leaves and number of the settlements that findings rest on, by id."""
    wanted = [
        {
            "id": one.id,
            "institution": one.institution,
            "person": one.body.person,
            "visit": one.body.visit,
            "month": one.month,
        }
        for one in page
        if one.body.person is not None or one.body.visit is not None
    ]
    if not wanted:
        return {}
    engine.register("wanted_findings", pa.Table.from_pylist(wanted, _WANTED))
    try:
        rows = engine.execute(_SETTLEMENTS, {"most": MAX_POINTERS}).fetchall()
    except duckdb.Error as error:
        raise StoreError(
            f"the records that findings rest on cannot be read ({type(error).__name__}); run again,"
            " and report it if it stays so"
        ) from error
    finally:
        engine.unregister("wanted_findings")
    return {bytes(row[0]): (row[1], row[2], row[3], row[4]) for row in rows}
