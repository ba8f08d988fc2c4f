"""Department items, grading runs, grades and publications."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "grade_reference",
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("model_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("frozen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "model_digest", name=op.f("pk_grade_reference")),
        comment="Peer references (同类参照), frozen at the first grading of a period and model.",
    )
    op.create_table(
        "grade_run",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("subject_class", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("model_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("catalogue_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("reference_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("no_model", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_run")),
        comment="Grading runs (评级批次); the highest id of a period holds.",
    )
    op.create_index(op.f("ix_grade_run_period"), "grade_run", ["period"], unique=False)
    op.create_table(
        "item_import",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("item", sa.String(length=2), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("imported_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_import")),
        sa.UniqueConstraint(
            "item", "period", "sha256", name=op.f("uq_item_import_item_period_sha256")
        ),
        comment="Department files (信息归集) that were read to their end.",
    )
    op.create_table(
        "item_quarantine",
        sa.Column("fault", sa.LargeBinary(length=32), nullable=False),
        sa.Column("item", sa.String(length=2), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("source_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("masked", sa.String(length=120), nullable=False),
        sa.Column("mend", sa.String(length=500), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("fault", name=op.f("pk_item_quarantine")),
        comment="Lines and files of departments that were refused, with the reason and the mend.",
    )
    op.create_index(
        "ix_item_quarantine_file", "item_quarantine", ["item", "period", "file_name"], unique=False
    )
    op.create_table(
        "item_row",
        sa.Column("item", sa.String(length=2), nullable=False),
        sa.Column("row_key", sa.String(length=400), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("institution", sa.String(length=16), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("event_day", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("source_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("imported_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item", "row_key", "version", name=op.f("pk_item_row")),
        comment="Every version of every department row; at most one per key is current.",
    )
    op.create_index(
        "ix_item_row_event_day", "item_row", ["item", "current", "event_day"], unique=False
    )
    op.create_index("ix_item_row_period", "item_row", ["item", "current", "period"], unique=False)
    op.create_table(
        "grade_result",
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("total_centi", sa.Integer(), nullable=False),
        sa.Column("coverage_centi", sa.Integer(), nullable=False),
        sa.Column("grade", sa.String(length=32), nullable=False),
        sa.Column("inputs_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("result_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["grade_run.id"], name=op.f("fk_grade_result_run_id")),
        sa.PrimaryKeyConstraint("period", "subject", "version", name=op.f("pk_grade_result")),
        comment="Versions of grades (信用等级), with sealed inputs and points; never overwritten.",
    )
    op.create_table(
        "grade_run_result",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["grade_run.id"], name=op.f("fk_grade_run_result_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "subject", name=op.f("pk_grade_run_result")),
        comment="Which version of each subject's grade belongs to a run.",
    )
    op.create_table(
        "publication",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("group_size", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("pq_signature", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["grade_run.id"], name=op.f("fk_publication_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sa.UniqueConstraint("run_id", name=op.f("uq_publication_run_id")),
        comment="Publications (公布): one signed Merkle root over grade statements.",
    )
    op.create_index(op.f("ix_publication_period"), "publication", ["period"], unique=False)
    op.create_table(
        "published_statement",
        sa.Column("publication_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["publication.id"],
            name=op.f("fk_published_statement_publication_id"),
        ),
        sa.PrimaryKeyConstraint(
            "publication_id", "leaf_index", name=op.f("pk_published_statement")
        ),
        sa.UniqueConstraint(
            "period",
            "subject",
            "version",
            name=op.f("uq_published_statement_period_subject_version"),
        ),
        comment="Statements of a publication in leaf order, with their sealed bytes.",
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("published_statement")
    op.drop_index(op.f("ix_publication_period"), table_name="publication")
    op.drop_table("publication")
    op.drop_table("grade_run_result")
    op.drop_table("grade_result")
    op.drop_index("ix_item_row_period", table_name="item_row")
    op.drop_index("ix_item_row_event_day", table_name="item_row")
    op.drop_table("item_row")
    op.drop_index("ix_item_quarantine_file", table_name="item_quarantine")
    op.drop_table("item_quarantine")
    op.drop_table("item_import")
    op.drop_index(op.f("ix_grade_run_period"), table_name="grade_run")
    op.drop_table("grade_run")
    op.drop_table("grade_reference")
