"""Who is signed in to the console; what dead letters are grouped by; jobs of two people."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    # id is the digest of a cookie. An ended row stays for as long as its link could be used.
    """
    CREATE TABLE console_sessions (
        id bytea PRIMARY KEY,
        link text UNIQUE,
        actor text NOT NULL,
        role text NOT NULL,
        began_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        ended_at timestamptz
    ) WITH (fillfactor = 70)
    """,
    # Somebody who was sent to the identity provider and is expected back: both ids are digests.
    """
    CREATE TABLE console_departures (
        id bytea PRIMARY KEY,
        browser bytea NOT NULL,
        nonce text NOT NULL,
        verifier text NOT NULL,
        wanted text NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    # A job that two people must want waits without a due time; an ended one says why it ended.
    """
    ALTER TABLE jobs
        ADD COLUMN approved_by text,
        DROP CONSTRAINT jobs_state_check,
        ADD CONSTRAINT jobs_state_check CHECK (state IN (
            'awaiting_approval', 'queued', 'running', 'finished', 'failed', 'cancelled'))
    """,
    """
    CREATE INDEX jobs_awaiting ON jobs (created_at) WHERE state = 'awaiting_approval'
    """,
    # Causes are counted in the index alone.
    "DROP INDEX dead_letters_open",
    """
    CREATE INDEX dead_letters_open ON dead_letters (kind, destination, reason, id)
        INCLUDE (first_at, last_at) WHERE resolved_at IS NULL
    """,
    """
    CREATE INDEX dead_letters_closed ON dead_letters (kind, destination, reason, resolution, id)
        WHERE resolution IS NOT NULL
    """,
    # Whether a letter was driven before, and died again.
    """
    CREATE INDEX dead_letters_redriven ON dead_letters (event_id, subject_id, destination)
        WHERE resolution = 'redriven'
    """,
    # The board, and lists by status: counted and walked in the index alone.
    """
    CREATE INDEX subjects_board ON subjects (lifecycle, status, updated_at DESC, id DESC)
        WHERE merged_into IS NULL
    """,
    """
    CREATE INDEX subjects_alarms ON subjects (lifecycle, flags)
        WHERE flags <> '{}' AND merged_into IS NULL
    """,
    # People search by any number, whole or its beginning, without saying what it is.
    "CREATE INDEX subjects_ref ON subjects (ref text_pattern_ops)",
    """
    CREATE INDEX aliases_value ON aliases (value text_pattern_ops) WHERE revoked_at IS NULL
    """,
    "CREATE INDEX waiting_value ON waiting (value)",
    # What is held at a destination, the last one first.
    """
    CREATE INDEX syncs_held_last ON syncs
        (destination, updated_at DESC, subject_id DESC) WHERE state = 'held'
    """,
    "CREATE INDEX syncs_remote ON syncs (remote_id) WHERE remote_id IS NOT NULL",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
