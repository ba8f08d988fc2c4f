"""Tables of department items and of grades.

Rules: a row's content is written once and never changed. A correction is a new
version; only marks such as ``current`` and ``resolved_at_ms`` move. Contents of
department rows and of results are sealed by the hub's vault; what stands in the
clear are codes, days, digests and the published outcome. Moments are
milliseconds since the Unix epoch (UTC), days are yyyymmdd in Asia/Shanghai.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    false,
)

from hub.store.metadata import metadata

_ITEM_LENGTH: Final = 3
_PERIOD_LENGTH: Final = 6
_SUBJECT_LENGTH: Final = 64
_CLASS_LENGTH: Final = 64
_LABEL_LENGTH: Final = 32
_KEY_LENGTH: Final = 400
_NAME_LENGTH: Final = 255

item_import: Final = Table(
    "item_import",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", String(_ITEM_LENGTH), nullable=False),
    # Empty for the register, which belongs to no period.
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    Column("file_name", String(_NAME_LENGTH), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("imported_at_ms", BigInteger, nullable=False),
    UniqueConstraint("item", "period", "sha256"),
    comment="Department files (信息归集) that were read to their end.",
)

item_row: Final = Table(
    "item_row",
    metadata,
    Column("item", String(_ITEM_LENGTH), primary_key=True),
    # JSON list of the values of the information item's primary key.
    Column("row_key", String(_KEY_LENGTH), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("current", Boolean, nullable=False),
    # Subject id of any class: a code, or the pseudonym of an insured person.
    Column("subject", String(_SUBJECT_LENGTH), nullable=False),
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    # 0 for rows that are not events.
    Column("event_day", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("source_sha256", LargeBinary(32), nullable=False),
    Column("source_line", Integer, nullable=False),
    Column("imported_at_ms", BigInteger, nullable=False),
    Index("ix_item_row_subject", "item", "current", "subject"),
    Index("ix_item_row_period", "item", "current", "period"),
    Index("ix_item_row_event_day", "item", "current", "event_day"),
    comment="Every version of every department row; at most one per key is current.",
)

item_quarantine: Final = Table(
    "item_quarantine",
    metadata,
    # Digest of item, period, file name, line content, field and rule: the same fault is one row.
    Column("fault", LargeBinary(32), primary_key=True),
    Column("item", String(_ITEM_LENGTH), nullable=False),
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    Column("file_name", String(_NAME_LENGTH), nullable=False),
    Column("source_sha256", LargeBinary(32), nullable=False),
    # 0 when the whole file is meant.
    Column("line", Integer, nullable=False),
    Column("field", String(64), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("masked", String(120), nullable=False),
    Column("mend", String(500), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("resolved_at_ms", BigInteger, nullable=True),
    Index("ix_item_quarantine_file", "item", "period", "file_name"),
    comment="Lines and files of departments that were refused, with the reason and the mend.",
)

grade_reference: Final = Table(
    "grade_reference",
    metadata,
    Column("period", String(_PERIOD_LENGTH), primary_key=True),
    Column("model_digest", LargeBinary(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("day", Integer, nullable=False),
    Column("frozen_at_ms", BigInteger, nullable=False),
    # Made while statements were missing: the next grading replaces it.
    Column("provisional", Boolean, nullable=False, server_default=false()),
    comment="Peer references (同类参照), frozen at the first complete grading of a period.",
)

grade_run: Final = Table(
    "grade_run",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("period", String(_PERIOD_LENGTH), nullable=False, index=True),
    Column("subject_class", String(_CLASS_LENGTH), nullable=False),
    Column("model", String(64), nullable=False),
    Column("model_digest", LargeBinary(32), nullable=False),
    Column("catalogue_digest", LargeBinary(32), nullable=False),
    Column("reference_digest", LargeBinary(32), nullable=False),
    Column("day", Integer, nullable=False),
    Column("basis", String(16), nullable=False),
    # JSON: input columns, indicators and bands, in the order in which results refer to them.
    Column("layout", LargeBinary, nullable=False),
    # Digest of everything the run depends on and of its outcome.
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("subjects", Integer, nullable=False),
    Column("no_model", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    # Moment at which all its inputs were read last; empty: when it was made.
    Column("inputs_at_ms", BigInteger),
    comment="Grading runs (评级批次); the highest id of a period and class holds.",
)

grade_result: Final = Table(
    "grade_result",
    metadata,
    Column("period", String(_PERIOD_LENGTH), primary_key=True),
    # One organisation can be an employer and a supplier.
    Column("subject_class", String(_CLASS_LENGTH), primary_key=True),
    Column("subject", String(_SUBJECT_LENGTH), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("run_id", ForeignKey(grade_run.c.id), nullable=False),
    Column("name", String(_NAME_LENGTH), nullable=False),
    Column("level", String(_LABEL_LENGTH), nullable=False),
    Column("type", String(_LABEL_LENGTH), nullable=False),
    Column("total_centi", Integer, nullable=False),
    Column("coverage_centi", Integer, nullable=False),
    Column("grade", String(_LABEL_LENGTH), nullable=False),
    # Grade of the points alone, before overrides.
    Column("earned_grade", String(_LABEL_LENGTH), nullable=False),
    Column("inputs_digest", LargeBinary(32), nullable=False),
    Column("result_digest", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    comment="Versions of grades (信用等级), with sealed inputs and points; never overwritten.",
)

grade_run_result: Final = Table(
    "grade_run_result",
    metadata,
    Column("run_id", ForeignKey(grade_run.c.id), primary_key=True, autoincrement=False),
    Column("subject", String(_SUBJECT_LENGTH), primary_key=True),
    Column("version", Integer, nullable=False),
    comment="Which version of each subject's grade belongs to a run.",
)

publication: Final = Table(
    "publication",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("period", String(_PERIOD_LENGTH), nullable=False, index=True),
    Column("run_id", ForeignKey(grade_run.c.id), nullable=False, unique=True),
    Column("root", LargeBinary(32), nullable=False),
    Column("group_size", Integer, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("pq_signature", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("published_at_ms", BigInteger, nullable=False),
    comment="Publications (公布): one signed Merkle root over grade statements.",
)

published_statement: Final = Table(
    "published_statement",
    metadata,
    Column("publication_id", ForeignKey(publication.c.id), primary_key=True, autoincrement=False),
    Column("leaf_index", Integer, primary_key=True, autoincrement=False),
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    Column("subject_class", String(_CLASS_LENGTH), nullable=False),
    Column("subject", String(_SUBJECT_LENGTH), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("period", "subject_class", "subject", "version"),
    comment="Statements of a publication in leaf order, with their sealed bytes.",
)
