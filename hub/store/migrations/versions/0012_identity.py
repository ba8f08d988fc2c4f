"""TLS certificates, revocation lists, requests that wait for an officer, renewals."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and who approved a token."""
    op.create_table(
        "tls_certificate",
        sa.Column("sha256", sa.LargeBinary(length=32), primary_key=True),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_tls_certificate_member", "tls_certificate", ["member"])
    op.create_table(
        "revocation_list",
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("list", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "enrolment_request",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=32), nullable=False, unique=True),
        sa.Column("fingerprint", sa.String(length=48), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
    )
    op.create_index("ix_enrolment_request_member", "enrolment_request", ["member"])
    op.create_table(
        "renewal",
        sa.Column("request_digest", sa.LargeBinary(length=32), primary_key=True),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
    )
    op.add_column("token", sa.Column("approved_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the tables and the column."""
    op.drop_column("token", "approved_at_ms")
    op.drop_table("renewal")
    op.drop_index("ix_enrolment_request_member", "enrolment_request")
    op.drop_table("enrolment_request")
    op.drop_table("revocation_list")
    op.drop_index("ix_tls_certificate_member", "tls_certificate")
    op.drop_table("tls_certificate")
