"""Nine classes of subjects: item numbers of three signs, subject ids, results by class."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FIRST_CLASS = "designated_medical_institution"
"""The only class that could be graded before."""


def upgrade() -> None:
    """Widen the columns and give every result its class and its earned grade."""
    for table in ("item_import", "item_quarantine"):
        with op.batch_alter_table(table) as batch:
            _resize(batch, "item", 2, 3)
    with op.batch_alter_table("item_row") as batch:
        _resize(batch, "item", 2, 3)
        batch.alter_column(
            "institution",
            new_column_name="subject",
            existing_type=sa.String(length=16),
            type_=sa.String(length=64),
            existing_nullable=False,
        )
    op.create_index("ix_item_row_subject", "item_row", ["item", "current", "subject"])
    _comment_runs("Grading runs (评级批次); the highest id of a period and class holds.")
    with op.batch_alter_table("grade_result") as batch:
        _resize(batch, "subject", 16, 64)
        _resize(batch, "level", 8, 32)
        batch.add_column(_subject_class())
        batch.add_column(
            sa.Column("earned_grade", sa.String(length=32), nullable=False, server_default="")
        )
        _key(batch, "grade_result", ["period", "subject_class", "subject", "version"])
    op.execute("UPDATE grade_result SET earned_grade = grade")
    with op.batch_alter_table("grade_run_result") as batch:
        _resize(batch, "subject", 16, 64)
    with op.batch_alter_table("published_statement") as batch:
        _resize(batch, "subject", 16, 64)
        batch.add_column(_subject_class())
        batch.drop_constraint(op.f("uq_published_statement_period_subject_version"), type_="unique")
        batch.create_unique_constraint(
            op.f("uq_published_statement_period_subject_class_subject_version"),
            ["period", "subject_class", "subject", "version"],
        )
    for table, column in (
        ("grade_result", "subject_class"),
        ("grade_result", "earned_grade"),
        ("published_statement", "subject_class"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, server_default=None)
    with op.batch_alter_table("pushed_grade") as batch:
        _key(batch, "pushed_grade", ["sender", "subject", "period", "subject_class", "version"])


def downgrade() -> None:
    """Take the classes back; results and items that only the newer schema knows go."""
    # The older program knows one class only: its highest run of a period holds.
    others = sa.text("subject_class <> :first").bindparams(first=_FIRST_CLASS)
    runs = sa.text("run_id IN (SELECT id FROM grade_run WHERE subject_class <> :first)").bindparams(
        first=_FIRST_CLASS
    )
    for table, which in (
        ("published_statement", others),
        ("publication", runs),
        ("grade_run_result", runs),
        ("grade_result", others),
        ("grade_run", others),
        ("pushed_grade", others),
    ):
        op.execute(sa.delete(sa.table(table)).where(which))
    with op.batch_alter_table("pushed_grade") as batch:
        _key(batch, "pushed_grade", ["sender", "subject", "period", "version"])
    with op.batch_alter_table("published_statement") as batch:
        batch.drop_constraint(
            op.f("uq_published_statement_period_subject_class_subject_version"), type_="unique"
        )
        batch.create_unique_constraint(
            op.f("uq_published_statement_period_subject_version"), ["period", "subject", "version"]
        )
        batch.drop_column("subject_class")
        _resize(batch, "subject", 64, 16)
    with op.batch_alter_table("grade_run_result") as batch:
        _resize(batch, "subject", 64, 16)
    with op.batch_alter_table("grade_result") as batch:
        _key(batch, "grade_result", ["period", "subject", "version"])
        batch.drop_column("earned_grade")
        batch.drop_column("subject_class")
        _resize(batch, "level", 32, 8)
        _resize(batch, "subject", 64, 16)
    _comment_runs("Grading runs (评级批次); the highest id of a period holds.")
    longer = sa.text("length(item) > 2")
    for table in ("item_row", "item_import", "item_quarantine"):
        op.execute(sa.delete(sa.table(table)).where(longer))
    op.drop_index("ix_item_row_subject", table_name="item_row")
    with op.batch_alter_table("item_row") as batch:
        batch.alter_column(
            "subject",
            new_column_name="institution",
            existing_type=sa.String(length=64),
            type_=sa.String(length=16),
            existing_nullable=False,
        )
        _resize(batch, "item", 3, 2)
    for table in ("item_import", "item_quarantine"):
        with op.batch_alter_table(table) as batch:
            _resize(batch, "item", 3, 2)


def _comment_runs(comment: str) -> None:
    if op.get_bind().dialect.supports_comments:
        op.create_table_comment("grade_run", comment)


def _subject_class() -> sa.Column[str]:
    return sa.Column(
        "subject_class", sa.String(length=64), nullable=False, server_default=_FIRST_CLASS
    )


def _resize(batch: BatchOperations, column: str, before: int, after: int) -> None:
    batch.alter_column(
        column,
        existing_type=sa.String(length=before),
        type_=sa.String(length=after),
        existing_nullable=False,
    )


def _key(batch: BatchOperations, table: str, columns: list[str]) -> None:
    batch.drop_constraint(f"pk_{table}", type_="primary")
    batch.create_primary_key(f"pk_{table}", columns)
