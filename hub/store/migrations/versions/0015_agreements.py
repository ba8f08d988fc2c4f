"""Sharing agreements, products, queries, waiting requests, and directories of other hubs.

Files that went to the city's personal credit office before there were agreements become rows of
the products, under version 0 of the agreement that replaces them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_EXPORTS_TO_PRODUCTS = """
    INSERT INTO product (agreement_id, agreement, recipient, period, slot, request_id, digest,
                         rows, suppressed, parts, correction, officer, made_at_ms)
    SELECT 'personal_credit_score', 'personal_credit_score@0', file_name, period, period, :nothing,
           sha256, rows, 0, 1, :no, officer, exported_at_ms
    FROM score_export ORDER BY id
"""


def upgrade() -> None:
    """Add the tables, and take the exports over."""
    op.create_table(
        "agreement",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("signed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_agreement")),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("agreement", sa.String(length=80), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("slot", sa.String(length=8), nullable=False),
        sa.Column("request_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("suppressed", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("correction", sa.Boolean(), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
    )
    op.create_index("ix_product_slot", "product", ["agreement_id", "slot"])
    op.create_table(
        "sharing_query",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("agreement", sa.String(length=80), nullable=False),
        sa.Column("asker", sa.String(length=200), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_query")),
    )
    op.create_table(
        "sharing_task",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("payload_type", sa.String(length=64), nullable=False),
        sa.Column("handled_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_sharing_task")),
    )
    op.create_index("ix_sharing_task_handled_at_ms", "sharing_task", ["handled_at_ms"])
    op.create_table(
        "directory",
        sa.Column("hub", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hub", name=op.f("pk_directory")),
    )
    op.add_column(
        "x_outbox",
        sa.Column("agreement", sa.String(length=80), nullable=False, server_default=""),
    )
    op.execute(sa.text(_EXPORTS_TO_PRODUCTS).bindparams(nothing=b"", no=False))
    op.drop_table("score_export")


def downgrade() -> None:
    """Drop the tables; the earlier exports go back to theirs."""
    op.create_table(
        "score_export",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("exported_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_export")),
    )
    op.execute(
        "INSERT INTO score_export (period, officer, file_name, rows, sha256, exported_at_ms) "
        "SELECT period, officer, recipient, rows, digest, made_at_ms FROM product "
        "WHERE agreement = 'personal_credit_score@0' ORDER BY id"
    )
    op.drop_column("x_outbox", "agreement")
    op.drop_table("directory")
    op.drop_index("ix_sharing_task_handled_at_ms", "sharing_task")
    op.drop_table("sharing_task")
    op.drop_table("sharing_query")
    op.drop_index("ix_product_slot", "product")
    op.drop_table("product")
    op.drop_table("agreement")
