"""Suite policies."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "suite_policy",
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("allowed", sa.String(length=264), nullable=False),
        sa.Column("required", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_suite_policy_member", "suite_policy", ["member", "version"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_index("ix_suite_policy_member", "suite_policy")
    op.drop_table("suite_policy")
