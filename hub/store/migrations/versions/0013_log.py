"""Compact ranges, witnesses and cosignatures of the log, and evidence of contradictions."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.add_column(
        "log_state", sa.Column("number", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column("log_state", sa.Column("conflict", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "log_frontier",
        sa.Column("size", _ID, primary_key=True, autoincrement=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "log_recovered",
        sa.Column("envelope_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_peer",
        sa.Column("hub", sa.String(96), primary_key=True),
        sa.Column("anchor", sa.LargeBinary(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger()),
        sa.Column("trouble", sa.Text()),
    )
    op.create_table(
        "log_cosignature",
        sa.Column("origin", sa.String(128), primary_key=True),
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("witness", sa.String(128), primary_key=True),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_witnessed",
        sa.Column("origin", sa.String(128), primary_key=True),
        sa.Column("hub", sa.String(96), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_evidence",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("hub", sa.String(96), nullable=False),
        sa.Column("origin", sa.String(128), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
    )
    op.create_index("ix_log_evidence_origin", "log_evidence", ["origin"])


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "log_evidence",
        "log_witnessed",
        "log_cosignature",
        "log_peer",
        "log_recovered",
        "log_frontier",
    ):
        op.drop_table(table)
    op.drop_column("log_state", "conflict")
    op.drop_column("log_state", "number")
