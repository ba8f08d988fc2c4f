"""Members, certificates, tokens, custody and counters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "custody",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("institution", sa.String(length=12), nullable=False),
        sa.Column("measure_set", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("from_month", sa.Integer(), nullable=False),
        sa.Column("to_month", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("level", sa.String(length=1), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("division", sa.String(length=6), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody")),
    )
    op.create_index(op.f("ix_custody_institution"), "custody", ["institution"], unique=False)
    op.create_index(op.f("ix_custody_member"), "custody", ["member"], unique=False)
    op.create_table(
        "key_certificate",
        sa.Column(
            "serial",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("use", sa.SmallInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_key_certificate")),
    )
    op.create_index(op.f("ix_key_certificate_member"), "key_certificate", ["member"], unique=False)
    op.create_table(
        "member",
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("division", sa.String(length=6), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("joined_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_member")),
    )
    op.create_table(
        "token",
        sa.Column("secret_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("keys_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.Column("consumed_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("secret_digest", name=op.f("pk_token")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("token")
    op.drop_table("member")
    op.drop_index(op.f("ix_key_certificate_member"), table_name="key_certificate")
    op.drop_table("key_certificate")
    op.drop_index(op.f("ix_custody_member"), table_name="custody")
    op.drop_index(op.f("ix_custody_institution"), table_name="custody")
    op.drop_table("custody")
    op.drop_table("counter")
