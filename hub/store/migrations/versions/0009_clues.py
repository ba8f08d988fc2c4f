"""Join records, clues, and what the hub found by joining."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    *("join_part", "join_record", "join_envelope", "place"),
    *("clue_part", "clue", "clue_staff", "joined_clue"),
)


def upgrade() -> None:
    """Create the tables."""
    _create_join_records()
    _create_clues()


def _create_join_records() -> None:
    op.create_table(
        "join_part",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("period", sa.String(length=6), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("keys_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_part")),
    )
    op.create_index("ix_join_part_expires_day", "join_part", ["expires_day"])
    op.create_index(
        "uq_join_part_place",
        "join_part",
        ["member", "kind", "period", "institution", "day", "part"],
        unique=True,
    )
    op.create_table(
        "join_record",
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.LargeBinary(length=16), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("drug_class", sa.String(length=12), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_join_record_part_id", "join_record", ["part_id"])
    op.create_index("ix_join_record_mark", "join_record", ["kind", "mark", "institution"])
    op.create_table(
        "join_envelope",
        sa.Column("log_index", _ID, autoincrement=False, nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_join_envelope")),
    )
    op.create_index("ix_join_envelope_expires_day", "join_envelope", ["expires_day"])
    op.create_table(
        "place",
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=False),
        sa.Column("longitude_e6", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("institution", name=op.f("pk_place")),
    )


def _create_clues() -> None:
    op.create_table(
        "clue_part",
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "member", "institution", "month", "part", name=op.f("pk_clue_part")
        ),
    )
    op.create_table(
        "clue",
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("person", sa.LargeBinary(length=16), nullable=True),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("evidence_count", sa.BigInteger(), nullable=False),
        sa.Column("first_log_index", sa.BigInteger(), nullable=False),
        sa.Column("last_log_index", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("member", "id", name=op.f("pk_clue")),
    )
    for column in ("institution", "person", "score"):
        op.create_index(f"ix_clue_{column}", "clue", [column])
    op.create_table(
        "clue_staff",
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("staff", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("member", "id", "staff", name=op.f("pk_clue_staff")),
    )
    op.create_index("ix_clue_staff_staff", "clue_staff", ["staff"])
    op.create_table(
        "joined_clue",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("mark", sa.LargeBinary(length=16), nullable=False),
        sa.Column("is_person", sa.Boolean(), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.Column("first_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joined_clue")),
    )
    for column in ("mark", "score"):
        op.create_index(f"ix_joined_clue_{column}", "joined_clue", [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(_TABLES):
        op.drop_table(table)
