"""What operators need: why requests were refused, work they asked for, and who asked for it."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    # The last refused requests of each source; names and hashes only, never a body or a value.
    """
    CREATE TABLE refusals (
        id uuid PRIMARY KEY,
        source text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        reason text NOT NULL,
        peer text NOT NULL,
        method text NOT NULL,
        header_names text[] NOT NULL,
        body_sha256 bytea NOT NULL,
        body_bytes integer NOT NULL,
        skew interval
    )
    """,
    "CREATE INDEX refusals_recent ON refusals (source, id DESC)",
    # Long work over many rows. Claiming moves due_at forward; there is no lease column.
    """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('redrive', 'discard', 'replay')),
        actor text NOT NULL,
        request jsonb NOT NULL,
        rate integer NOT NULL,
        state text NOT NULL DEFAULT 'queued'
            CHECK (state IN ('queued', 'running', 'finished', 'failed')),
        due_at timestamptz DEFAULT now(),
        cursor text,
        matched bigint NOT NULL DEFAULT 0,
        done bigint NOT NULL DEFAULT 0,
        skipped bigint NOT NULL DEFAULT 0,
        error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
    )
    """,
    "CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL",
    # Append-only: who did what to what, and why.
    """
    CREATE TABLE operator_actions (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        actor text NOT NULL,
        action text NOT NULL,
        target text NOT NULL,
        detail jsonb NOT NULL
    )
    """,
    """
    CREATE INDEX dead_letters_open ON dead_letters (kind, destination, reason, id)
        WHERE resolved_at IS NULL
    """,
    # A replay finds the events of a request.
    "CREATE INDEX events_request ON events (request_id)",
    # W3C trace context of the request an entry came with.
    "ALTER TABLE outbox ADD COLUMN trace text",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
