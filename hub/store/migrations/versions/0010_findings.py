"""Measures behind clues of topics, and staff whom a join is about."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("clue", sa.Column("measures", sa.Text(), nullable=False, server_default="[]"))
    op.create_index("ix_clue_month", "clue", ["month"])
    op.add_column("joined_clue", sa.Column("staff", sa.String(length=16), nullable=True))
    op.create_index("ix_joined_clue_staff", "joined_clue", ["staff"])
    op.create_index("ix_joined_clue_month", "joined_clue", ["month"])


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("ix_joined_clue_month", "joined_clue")
    op.drop_index("ix_joined_clue_staff", "joined_clue")
    op.drop_column("joined_clue", "staff")
    op.drop_index("ix_clue_month", "clue")
    op.drop_column("clue", "measures")
