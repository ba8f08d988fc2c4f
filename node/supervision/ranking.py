"""Which institutions' stays to look at first: their clue scores, out of the node's records.

The order of work:
0. Make the relation ``visit`` over a snapshot, as rules read it.
1. Take the settled stays of the months; persons and diseases become numbers.
2. Score the institutions among each other (``scoring_kernel.institution_clues``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from node.errors import StoreError
from node.supervision.batch import ALL_MONTHS, RuleRecords
from node.supervision.budget import Budget
from scoring_kernel.institution_clues import (
    COMPONENTS,
    InstitutionScore,
    Stays,
    score_institutions,
)
from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.relations import AS_WRITTEN, OPENING, OPTIMISED, order

__all__ = ["RankedInstitution", "rank_institutions"]

_VISIT: Final = "visit"
_DISEASE_CHARS: Final = 3
"""ICD-10 category (类目)."""
_STAYS: Final = f"""
    SELECT
      institution,
      person,
      left(main_icd, {_DISEASE_CHARS}) AS disease,
      fund_fen,
      medfee_fen,
      greatest(
        1, date_diff('day', CAST(admitted_at AS DATE), CAST(discharged_at AS DATE))
      ) AS days
    FROM {_VISIT}
    WHERE inpatient
      AND settled
      AND discharged_at IS NOT NULL
      AND year(settled_at) * 100 + month(settled_at) BETWEEN ? AND ?
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedInstitution:
    """One institution's place (机构住院线索分)."""

    institution: str
    stays: int
    score: int
    """0 to 1,000."""
    exact_e6: int
    """The same in millionths of 1."""
    components: Mapping[str, int] = field(repr=False)
    """Fen, days and counts by component; excess in halves of a fen and of a day."""


def rank_institutions(
    records: RuleRecords,
    book: RuleBook,
    score: InstitutionScore,
    *,
    months: tuple[int, int] = ALL_MONTHS,
    budget: Budget,
) -> tuple[RankedInstitution, ...]:
    """Score the institutions that had settled stays.

    Args:
        records: The node's records.
        book: The rule book, for its relation of visits.
        score: Weights of the components.
        months: First and last month of settlement, yyyymm.
        budget: Memory of the engine.

    Returns:
        Institutions, the highest score first.

    Raises:
        StoreError: The stays cannot be read.
    """
    names = order(book.relations, (_VISIT,), {})
    kinds = {one for name in names for one in book.relations[name].reads} - set(names)
    held = {month for one in records.months_held().values() for month in one}
    engine = records.relations(sorted(kinds), memory_bytes=budget.memory_bytes)
    try:
        for statement in (*OPENING, AS_WRITTEN):
            engine.execute(statement)
        for name in names:
            for statement in book.relations[name].statements(sorted(held)):
                engine.execute(statement)
        engine.execute(OPTIMISED)
        table = engine.sql(_STAYS, params=list(months)).to_arrow_table()
    except duckdb.Error as error:
        raise StoreError(
            f"stays cannot be read ({type(error).__name__}); free memory or name fewer months"
        ) from error
    finally:
        engine.close()
    return _ranked(table, score)


def _ranked(table: pa.Table, score: InstitutionScore) -> tuple[RankedInstitution, ...]:
    names, institution = _numbered(table["institution"])
    _, person = _numbered(table["person"])
    _, disease = _numbered(table["disease"])
    stays = Stays(
        institution=institution,
        person=person,
        disease=disease,
        fund_fen=_whole(table["fund_fen"]),
        medfee_fen=_whole(table["medfee_fen"]),
        days=_whole(table["days"]),
    )
    found = score_institutions(stays, score)
    counts = np.bincount(institution, minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda at: (-int(found.exact_e6[at]), names[at]))
    return tuple(
        RankedInstitution(
            institution=names[at],
            stays=int(counts[at]),
            score=int(found.score[at]),
            exact_e6=int(found.exact_e6[at]),
            components={name: int(found.values[name][at]) for name in COMPONENTS},
        )
        for at in ranked
    )


def _numbered(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Number the values of a column from 0; a null has number -1."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return encoded.dictionary.to_pylist(), numbers


def _whole(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
