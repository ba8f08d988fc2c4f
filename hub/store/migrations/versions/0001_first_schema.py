"""First schema: members, intake, log, statements, items, grades and the exchange's own tables."""

from alembic import op

from hub.store.database import metadata
from security.exchange import tables as exchange_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    metadata.create_all(op.get_bind())
    exchange_tables.metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop every table."""
    exchange_tables.metadata.drop_all(op.get_bind())
    metadata.drop_all(op.get_bind())
