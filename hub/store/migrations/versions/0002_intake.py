"""Envelopes, chains, log, receipts, refusals, statements and pushed grades."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "chain_head",
        sa.Column("sender", sa.String(length=96), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("sender", "lane", name=op.f("pk_chain_head")),
    )
    op.create_table(
        "delivery",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("recipient", sa.String(length=96), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_recipient"), "delivery", ["recipient"], unique=False)
    op.create_table(
        "envelope",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sender", sa.String(length=96), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_envelope")),
    )
    op.create_index(
        "uq_envelope_place", "envelope", ["sender", "lane", "incarnation", "seq"], unique=True
    )
    op.create_table(
        "log_leaf",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_log_leaf")),
    )
    op.create_table(
        "log_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
    )
    op.create_table(
        "pushed_grade",
        sa.Column("sender", sa.String(length=96), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("subject_class", sa.String(length=64), nullable=False),
        sa.Column("total_centi", sa.Integer(), nullable=False),
        sa.Column("grade", sa.String(length=32), nullable=False),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("model_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("statement_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("publication_root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "sender", "subject", "period", "version", name=op.f("pk_pushed_grade")
        ),
    )
    op.create_table(
        "receipt",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf_index", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_receipt")),
    )
    op.create_index(op.f("ix_receipt_group_id"), "receipt", ["group_id"], unique=False)
    op.create_table(
        "receipt_group",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("pq_signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_group")),
    )
    op.create_table(
        "refusal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("peer", sa.String(length=96), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=48), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("envelope_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    op.create_index(op.f("ix_refusal_peer"), "refusal", ["peer"], unique=False)
    op.create_table(
        "segment",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_segment")),
    )
    op.create_index(op.f("ix_segment_measure_set"), "segment", ["measure_set"], unique=False)
    op.create_table(
        "slot",
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("collecting", sa.Boolean(), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ledger_size", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "measure_set", "institution", "month", "collecting", name=op.f("pk_slot")
        ),
    )
    op.create_table(
        "slot_part",
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("collecting", sa.Boolean(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "measure_set", "institution", "month", "collecting", "part", name=op.f("pk_slot_part")
        ),
    )
    op.create_table(
        "slot_quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("month", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("mend", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_quarantine")),
    )
    op.create_index(
        op.f("ix_slot_quarantine_log_index"), "slot_quarantine", ["log_index"], unique=False
    )
    op.create_table(
        "staged",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_staged")),
    )
    op.create_index(op.f("ix_staged_measure_set"), "staged", ["measure_set"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index(op.f("ix_staged_measure_set"), table_name="staged")
    op.drop_table("staged")
    op.drop_index(op.f("ix_slot_quarantine_log_index"), table_name="slot_quarantine")
    op.drop_table("slot_quarantine")
    op.drop_table("slot_part")
    op.drop_table("slot")
    op.drop_index(op.f("ix_segment_measure_set"), table_name="segment")
    op.drop_table("segment")
    op.drop_index(op.f("ix_refusal_peer"), table_name="refusal")
    op.drop_table("refusal")
    op.drop_table("receipt_group")
    op.drop_index(op.f("ix_receipt_group_id"), table_name="receipt")
    op.drop_table("receipt")
    op.drop_table("pushed_grade")
    op.drop_table("log_state")
    op.drop_table("log_leaf")
    op.drop_index("uq_envelope_place", table_name="envelope")
    op.drop_table("envelope")
    op.drop_index(op.f("ix_delivery_recipient"), table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("chain_head")
