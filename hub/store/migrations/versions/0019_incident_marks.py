"""What an incident has to reach: who brought records and clues, when, and what is only marked."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ADDED = (
    ("join_part", "log_index"),
    ("clue_part", "log_index"),
    ("place", "log_index"),
    ("incident", "until_index"),
    ("grade_run", "inputs_at_ms"),
)


def upgrade() -> None:
    """Add the columns; they are empty for what was there before."""
    for table, column in _ADDED:
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=True))
    op.add_column("place", sa.Column("member", sa.String(96), nullable=True))


def downgrade() -> None:
    """Take them away; in place, because other tables point at these."""
    op.drop_column("place", "member")
    for table, column in reversed(_ADDED):
        op.drop_column(table, column)
