"""Model packs, groups of members, orders and reports."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_MEMBER = sa.String(length=96)


def upgrade() -> None:
    """Add the tables."""
    version = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "pack_release",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("released_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_pack_release"),
    )
    op.create_table(
        "pack_group",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pack_group"),
    )
    op.create_table(
        "pack_member",
        sa.Column("member", _MEMBER, nullable=False),
        sa.Column("group_name", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_name"], ["pack_group.name"], name="fk_pack_member_group_name"
        ),
        sa.PrimaryKeyConstraint("member", name="pk_pack_member"),
    )
    op.create_table(
        "pack_order",
        sa.Column("version", version, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("group_name", sa.String(length=40), nullable=False),
        sa.Column("from_day", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["pack_release.digest"], name="fk_pack_order_digest"),
        sa.PrimaryKeyConstraint("version", name="pk_pack_order"),
    )
    op.create_table(
        "pack_ordered",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("member", _MEMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["pack_order.version"], name="fk_pack_ordered_version"
        ),
        sa.PrimaryKeyConstraint("version", "member", name="pk_pack_ordered"),
    )
    op.create_table(
        "pack_report",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("member", _MEMBER, nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("vectors", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", "member", name="pk_pack_report"),
    )
    op.create_table(
        "pack_stop",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", _MEMBER, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_pack_stop"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("stop", "report", "ordered", "order", "member", "group", "release"):
        op.drop_table(f"pack_{name}")
