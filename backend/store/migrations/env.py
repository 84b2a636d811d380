"""Runs the migrations on the connection that the database hands over, in one transaction."""

from alembic import context

from backend.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can, although Alembic thinks it cannot: half a migration is never left behind
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
