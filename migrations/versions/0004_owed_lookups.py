"""Events that only point at an object of their sender: what is still to be looked up there."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    # While a row stands, its event waits. A claim moves due_at behind its lease and counts the
    # attempt before it is made, so that one that ends its worker is counted too.
    """
    CREATE TABLE owed_lookups (
        event_id uuid PRIMARY KEY,
        source text NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0,
        owed_since timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX owed_lookups_due ON owed_lookups (due_at)",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
