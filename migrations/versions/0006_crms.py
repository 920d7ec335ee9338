"""What is known of records at destinations; their budgets, breakers and access tokens."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    # What the destination is known to show, as we wrote or read it last: their field -> text.
    """
    ALTER TABLE syncs
        ADD COLUMN remote_id text,
        ADD COLUMN remote_token text,
        ADD COLUMN written jsonb,
        ADD COLUMN written_hash bytea,
        -- What was sent, or may have been, and nobody told what came of it; the newest first.
        ADD COLUMN intent jsonb,
        -- 0: nothing; 1: read before the next write; 2: settled, but read once more when due;
        -- 3: as 2 once the present lease has ended.
        ADD COLUMN verify smallint NOT NULL DEFAULT 0,
        ADD COLUMN held_for text CHECK (held_for IN ('person', 'shadow', 'operator')),
        -- What stands in the way of a held sync: their field -> {ours, theirs}.
        ADD COLUMN difference jsonb,
        -- An operator said: write, whatever a person did there.
        ADD COLUMN overrule boolean NOT NULL DEFAULT false
    """,
    "CREATE INDEX syncs_held ON syncs (destination, held_for) WHERE held_for IS NOT NULL",
    """
    CREATE TABLE destinations (
        name text PRIMARY KEY,
        -- Paused by an operator, or by an answer that only a person can mend.
        paused_at timestamptz,
        paused_by text,
        pause_cause text CHECK (pause_cause IN ('operator', 'auth', 'human')),
        pause_reason text,
        breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
        opened_at timestamptz,
        next_probe_at timestamptz,
        probes integer NOT NULL DEFAULT 0,
        last_error text,
        updated_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)
    """,
    # One row for each limit of a destination, spent by all workers in slices.
    """
    CREATE TABLE budgets (
        destination text NOT NULL,
        name text NOT NULL,
        -- The limit as the workers go by it, for people: so much in each period.
        count double precision NOT NULL,
        period interval NOT NULL,
        -- When all that was spent so far will have been earned (GCRA).
        earned_at timestamptz NOT NULL DEFAULT now(),
        rests_until timestamptz,
        used double precision NOT NULL DEFAULT 0,
        ceiling double precision,
        resets_at timestamptz,
        -- Somebody with live work found nothing to spend: the rest waits.
        live_until timestamptz,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (destination, name)
    ) WITH (fillfactor = 50)
    """,
    # A reconciliation is a job that counts what it found.
    """
    ALTER TABLE jobs
        DROP CONSTRAINT jobs_kind_check,
        ADD CONSTRAINT jobs_kind_check
            CHECK (kind IN ('redrive', 'discard', 'replay', 'refold', 'reconcile')),
        ADD COLUMN counts jsonb
    """,
    # Access tokens, sealed; the row is locked while a token that serves once is exchanged.
    """
    CREATE TABLE tokens (
        destination text PRIMARY KEY,
        sealed bytea NOT NULL,
        expires_at timestamptz,
        generation bigint NOT NULL DEFAULT 1,
        -- A digest of the configured credentials: new ones replace what is kept.
        origin bytea NOT NULL,
        renewed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
