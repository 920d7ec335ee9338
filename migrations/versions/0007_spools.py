"""What each gateway holds in its local spool, so that the ledger can say what it does not know."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Removed by a gateway that ends with an empty spool; one that falls silent stays.
    """
    CREATE TABLE spools (
        id uuid PRIMARY KEY,
        gateway text NOT NULL,
        entries bigint NOT NULL,
        bytes bigint NOT NULL,
        damaged bigint NOT NULL,
        oldest_at timestamptz,
        reported_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
