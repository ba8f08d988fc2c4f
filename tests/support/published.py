"""Published grades for tests of sharing, written as the publishing flow leaves them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from hub.store.engine import writing
from hub.store.grading_tables import grade_result, grade_run, publication, published_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Engine

HOSPITAL: Final = "designated_medical_institution"
PHARMACY: Final = "designated_retail_pharmacy"
PERIOD: Final = "2026H1"
_DIGEST: Final = bytes(range(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One published grade."""

    subject: str
    subject_class: str = HOSPITAL
    grade: str = "good"
    total_centi: int = 81_250
    name: str = ""
    level: str = "3"
    version: int = 1


GRADES: Final = (
    Grade(subject="H33030200001", grade="excellent", total_centi=90_005, name="市一医院"),
    Grade(subject="H33030200002", name="县医院, 东院", level="2"),
    Grade(subject="H33030200003", grade="poor", total_centi=71_000, level="1"),
    Grade(subject="P33030200009", subject_class=PHARMACY, grade="bad", total_centi=100),
    Grade(subject="N330302000001", subject_class="nurse", grade="excellent"),
    Grade(subject="R01abcdef", subject_class="insured_person", grade="good"),
)


def publish_grades(
    engine: Engine, grades: Iterable[Grade] = GRADES, *, period: str = PERIOD
) -> None:
    """Publish grades, one publication for each class."""
    by_class: dict[str, list[Grade]] = {}
    for one in grades:
        by_class.setdefault(one.subject_class, []).append(one)
    with writing(engine) as connection:
        for subject_class, rows in by_class.items():
            _publish(connection, subject_class, rows, period)


def _publish(connection: Connection, subject_class: str, rows: list[Grade], period: str) -> None:
    run_id = connection.execute(
        insert(grade_run).values(
            period=period,
            subject_class=subject_class,
            model=subject_class,
            model_digest=_DIGEST,
            catalogue_digest=_DIGEST,
            reference_digest=_DIGEST,
            day=20260630,
            basis="proposal",
            layout=b'{"columns": [], "bands": []}',
            fingerprint=_DIGEST,
            subjects=len(rows),
            no_model=0,
            created_at_ms=1,
        )
    ).inserted_primary_key[0]  # type: ignore[index]  # a row was inserted
    publication_id = connection.execute(
        insert(publication).values(
            period=period,
            run_id=run_id,
            root=hashlib.sha256(str(run_id).encode()).digest(),
            group_size=len(rows),
            key_id="0" * 32,
            signature=b"",
            pq_signature=b"",
            log_index=0,
            published_at_ms=1,
        )
    ).inserted_primary_key[0]  # type: ignore[index]  # a row was inserted
    for index, one in enumerate(rows):
        connection.execute(
            insert(grade_result).values(
                period=period,
                subject_class=subject_class,
                subject=one.subject,
                version=one.version,
                run_id=run_id,
                name=one.name,
                level=one.level,
                type="general",
                total_centi=one.total_centi,
                coverage_centi=10_000,
                grade=one.grade,
                earned_grade=one.grade,
                inputs_digest=_DIGEST,
                result_digest=_DIGEST,
                sealed=b"",
            )
        )
        connection.execute(
            insert(published_statement).values(
                publication_id=publication_id,
                leaf_index=index,
                period=period,
                subject_class=subject_class,
                subject=one.subject,
                version=one.version,
                digest=hashlib.sha256(one.subject.encode()).digest(),
                sealed=b"",
            )
        )
