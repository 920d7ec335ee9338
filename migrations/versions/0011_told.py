"""What a destination was told of a version can be told again in the same words."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Unknown for what was told before: it is told as if it had not been, as it was until now.
    "ALTER TABLE syncs ADD COLUMN told_version bigint",
    "ALTER TABLE syncs ADD COLUMN told_after bigint",
    "ALTER TABLE syncs ADD COLUMN told_previous text",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
