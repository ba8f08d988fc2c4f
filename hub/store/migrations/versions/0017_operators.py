"""Operators, approvals, the operator log with its guards, and incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SQLITE_GUARDS = (
    """create trigger operator_log_kept before delete on operator_log
       begin select raise(abort, 'rows of the operator log are never removed'); end""",
    """create trigger operator_log_fixed before update on operator_log
       begin select raise(abort, 'rows of the operator log are never changed'); end""",
    # Fires before "insert or replace" removes the row it would replace.
    """create trigger operator_log_next before insert on operator_log
       when new.number <> (select coalesce(max(number), 0) + 1 from operator_log)
         or exists(select 1 from operator_log where hash = new.hash)
       begin select raise(abort, 'rows of the operator log are only appended'); end""",
)
_POSTGRESQL_GUARDS = (
    """create function operator_log_guard() returns trigger language plpgsql as $$
       begin raise exception 'rows of the operator log are never changed or removed'; end $$""",
    """create trigger operator_log_kept before update or delete on operator_log
       for each row execute function operator_log_guard()""",
    """create trigger operator_log_whole before truncate on operator_log
       for each statement execute function operator_log_guard()""",
)


def upgrade() -> None:
    """Add the tables and the guards."""
    op.create_table(
        "operator",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False, unique=True),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("arguments", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "operator_log",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("arguments_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=16), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False, unique=True),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_operator_log_nonce", "operator_log", ["nonce"])
    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("member", sa.String(length=96), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_index", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("lifted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=64), nullable=True),
    )
    op.create_index("ix_incident_member", "incident", ["member"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables; their guards go with them."""
    for table in ("incident", "operator_log", "approval", "operator"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("drop function operator_log_guard()")
