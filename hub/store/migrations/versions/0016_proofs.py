"""Heads that members signed, heartbeats, backups; and what this hub saw of its parent's log."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "collected_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collected_head")),
    )
    op.create_index(
        "uq_collected_head_place",
        "collected_head",
        ["member", "lane", "incarnation", "seq"],
        unique=True,
    )
    op.create_table(
        "heartbeat",
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ledger_size", sa.BigInteger(), nullable=False),
        sa.Column("pack_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("operator_log_head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("operator_log_size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "backup_mark",
        sa.Column("log_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_size", name=op.f("pk_backup_mark")),
    )
    op.create_table(
        "backup_chain",
        sa.Column("sender", sa.String(length=96), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "lane", name=op.f("pk_backup_chain")),
    )
    op.create_table(
        "x_seen_logs",
        sa.Column("origin", sa.String(length=128), nullable=False),
        sa.Column("hub", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin"),
    )
    op.create_table(
        "x_log_contradictions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=128), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("stated", sa.Text(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("x_log_contradictions")
    op.drop_table("x_seen_logs")
    op.drop_table("backup_chain")
    op.drop_table("backup_mark")
    op.drop_table("heartbeat")
    op.drop_index("uq_collected_head_place", "collected_head")
    op.drop_table("collected_head")
