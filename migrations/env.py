"""Alembic's entry: runs the revisions over the connection that store.migrate hands in."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table="schema_version", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
