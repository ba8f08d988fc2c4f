"""Environment of Alembic: runs the steps on the connection that the caller hands over."""

from alembic import context

from hub.store.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
