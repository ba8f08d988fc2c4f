"""References of gradings that went ahead without every statement: kept, but not frozen."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every reference held so far is frozen."""
    op.add_column(
        "grade_reference",
        sa.Column("provisional", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("grade_reference", "provisional")
