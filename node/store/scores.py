"""Final grade statements a node collected, and the pre-scores it made.

Both live in `node.db` beside the ledger. A grade statement is kept as the bytes that were signed;
a newer version of the same grade is a new row, never an overwrite.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlite_utils import Database, Migrations

from node.store.database import open_database
from node.store.transactions import transaction

_migrations = Migrations("yixin-scores")
_DIGESTS = ("model_digest", "inputs_digest", "reference_digest")
_FIRST_CLASS = "designated_medical_institution"
"""The only class that was pre-scored before classes were kept."""


@_migrations()
def create_score_tables(db: Database) -> None:
    """Tables of the first version."""
    db.table("grade_statement").create(
        {"period": str, "subject": str, "version": int, "body": bytes, "collected_at": str},
        pk=("period", "subject", "version"),
    )
    db.table("prescore").create(
        {
            "period": str,
            "subject": str,
            "total_centi": int,
            "grade": str,
            "basis": str,
            "coverage_centi": int,
            "final_inputs": int,
            "points": str,
            "scored_at": str,
        },
        pk=("period", "subject"),
    )


@_migrations()
def add_classes(db: Database) -> None:
    """Class of each subject and the grade before overrides; older pre-scores are of hospitals."""
    table = db.table("prescore")
    table.add_column("subject_class", str, not_null_default=_FIRST_CLASS)
    table.add_column("earned_grade", str, not_null_default="")
    db.execute("update prescore set earned_grade = grade")


@_migrations()
def add_digests(db: Database) -> None:
    """What a pre-score rests on; older ones named nothing."""
    table = db.table("prescore")
    for name in _DIGESTS:
        table.add_column(name, str, not_null_default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreScore:
    """One subject's pre-score (预评分) for a period."""

    period: str
    subject: str
    subject_class: str
    """Class of subjects (主体类别)."""
    total_centi: int
    """Total, hundredths of a point."""
    grade: str
    """Grade id, after overrides."""
    earned_grade: str
    """Grade id that the points alone give."""
    basis: str
    """Status of the model: "proposal" or "final"."""
    coverage_centi: int
    """Nominal weight of the indicators that had a value, hundredths of a point."""
    final_inputs: bool
    """True when the department items and the peer reference came from the hub."""
    model_digest: str
    """SHA-256 of the model, hexadecimal."""
    inputs_digest: str
    """SHA-256 of the inputs that were scored, hexadecimal."""
    reference_digest: str
    """SHA-256 of the hub's frozen peer reference, hexadecimal; empty without one."""
    points: Mapping[str, int] = field(repr=False)
    """Points by indicator id, hundredths of a point."""


def digests_of(score: PreScore) -> dict[str, str]:
    """What a pre-score rests on, by name, hexadecimal."""
    return {name: str(getattr(score, name)) for name in _DIGESTS}


class ScoreStore:
    """Grade statements and pre-scores in `node.db`."""

    def __init__(self, directory: Path) -> None:
        """Open the database of a state directory and bring its score tables up to date."""
        self._db = open_database(directory)
        if _migrations.pending(self._db):
            _migrations.apply(self._db)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def keep_statement(
        self, *, period: str, subject: str, version: int, body: bytes, collected_at: str
    ) -> bool:
        """Keep a verified grade statement; False when this version is already held."""
        with transaction(self._db.conn) as connection:
            cursor = connection.execute(
                "insert into grade_statement values (?, ?, ?, ?, ?) on conflict do nothing",
                (period, subject, version, body, collected_at),
            )
        return cursor.rowcount == 1

    def latest_statements(self, period: str, subjects: Collection[str]) -> dict[str, bytes]:
        """Body of the newest grade statement of some subjects of a period, where one is held."""
        rows = self._db.query(
            "select subject, body from grade_statement as one where period = :period"
            " and subject in (select value from json_each(:subjects)) and version ="
            " (select max(version) from grade_statement as other"
            " where other.period = one.period and other.subject = one.subject)",
            {"period": period, "subjects": json.dumps(sorted(subjects))},
        )
        return {str(row["subject"]): bytes(row["body"]) for row in rows}

    def count_statements(self) -> dict[str, int]:
        """Number of subjects, staff too, with a grade statement, by period in order."""
        rows = self._db.query(
            "select period, count(distinct subject) as subjects from grade_statement"
            " group by period order by period"
        )
        return {str(row["period"]): int(row["subjects"]) for row in rows}

    def replace_prescores(
        self, period: str, prescores: Sequence[PreScore], *, scored_at: str
    ) -> None:
        """Replace all pre-scores of a period in one transaction."""
        with transaction(self._db.conn) as connection:
            connection.execute("delete from prescore where period = ?", (period,))
            connection.executemany(
                "insert into prescore (period, subject, subject_class, total_centi, grade,"
                " earned_grade, basis, coverage_centi, final_inputs, points, scored_at,"
                " model_digest, inputs_digest, reference_digest)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        period,
                        score.subject,
                        score.subject_class,
                        score.total_centi,
                        score.grade,
                        score.earned_grade,
                        score.basis,
                        score.coverage_centi,
                        int(score.final_inputs),
                        json.dumps(dict(score.points)),
                        scored_at,
                        score.model_digest,
                        score.inputs_digest,
                        score.reference_digest,
                    )
                    for score in prescores
                ],
            )

    def prescores(self, period: str | None = None) -> list[PreScore]:
        """Stored pre-scores, by period and subject."""
        rows = self._db.query(
            "select * from prescore where :period is null or period = :period"
            " order by period, subject",
            {"period": period},
        )
        return [
            PreScore(
                period=str(row["period"]),
                subject=str(row["subject"]),
                subject_class=str(row["subject_class"]),
                total_centi=int(row["total_centi"]),
                grade=str(row["grade"]),
                earned_grade=str(row["earned_grade"]),
                basis=str(row["basis"]),
                coverage_centi=int(row["coverage_centi"]),
                final_inputs=bool(row["final_inputs"]),
                model_digest=str(row["model_digest"]),
                inputs_digest=str(row["inputs_digest"]),
                reference_digest=str(row["reference_digest"]),
                points={name: int(value) for name, value in json.loads(row["points"]).items()},
            )
            for row in rows
        ]
