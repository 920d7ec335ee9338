"""Requests of sources in capture mode: whole, unverified, and never part of the ledger."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Bounded by whoever inserts: the last ones of each source, so many bytes in all, so long.
    """
    CREATE TABLE captures (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        source text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        received_at timestamptz NOT NULL,
        peer text NOT NULL,
        method text NOT NULL,
        path text NOT NULL,
        query text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        weight integer NOT NULL
    )
    """,
    "CREATE INDEX captures_recent ON captures (source, id DESC)",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
