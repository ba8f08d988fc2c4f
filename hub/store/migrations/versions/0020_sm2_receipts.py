"""The SM2 signature of a commit group, beside the hub's other one."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; groups of before have none."""
    op.add_column("receipt_group", sa.Column("sm2_signature", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take it away; in place, because other tables point at this one."""
    op.drop_column("receipt_group", "sm2_signature")
