"""Other names of subjects, events that wait for one, decisions of operators, what looks wrong."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    # What few events carry stands in one column: aliases, money, reason, returns, revokes, lookup.
    """
    ALTER TABLE events
        ADD COLUMN parcel text,
        ADD COLUMN details jsonb NOT NULL DEFAULT '{}',
        DROP CONSTRAINT events_fate_check,
        ADD CONSTRAINT events_fate_check CHECK (fate IN
            ('fold', 'look_up', 'ignored', 'unreadable', 'unmapped', 'unresolved_subject'))
    """,
    # A claim that a subject goes by another name; the claimant is a source, an operator or a CRM.
    # A denial is an operator's word that it does not, which no claim of a source outweighs.
    """
    CREATE TABLE aliases (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        lifecycle text NOT NULL,
        type text NOT NULL,
        value text NOT NULL,
        subject_id bigint NOT NULL,
        kind text NOT NULL CHECK (kind IN ('source', 'operator', 'destination', 'denial')),
        claimant text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        revoked_at timestamptz
    )
    """,
    """
    CREATE UNIQUE INDEX aliases_claim ON aliases
        (lifecycle, type, value, subject_id, kind, claimant) WHERE revoked_at IS NULL
    """,
    "CREATE INDEX aliases_subject ON aliases (subject_id)",
    # One row for each alias an event waits for. Past its deadline the event is a dead letter, and
    # the row stays, so that the alias still revives it.
    """
    CREATE TABLE waiting (
        event_id uuid NOT NULL,
        lifecycle text NOT NULL,
        type text NOT NULL,
        value text NOT NULL,
        deadline_at timestamptz,
        PRIMARY KEY (event_id, type, value)
    )
    """,
    "CREATE INDEX waiting_name ON waiting (lifecycle, type, value)",
    "CREATE INDEX waiting_deadline ON waiting (deadline_at) WHERE deadline_at IS NOT NULL",
    "CREATE INDEX waiting_event ON waiting (event_id) WHERE starts_with(type, 'event:')",
    # Events that belong to a subject by an alias, not by their own ref.
    """
    CREATE TABLE adoptions (
        event_id uuid PRIMARY KEY,
        subject_id bigint NOT NULL
    )
    """,
    "CREATE INDEX adoptions_subject ON adoptions (subject_id)",
    """
    ALTER TABLE subjects
        ADD COLUMN merged_into bigint,
        ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
        ADD COLUMN lifecycle_hash text NOT NULL DEFAULT ''
    """,
    "CREATE INDEX subjects_merged ON subjects (merged_into) WHERE merged_into IS NOT NULL",
    "CREATE INDEX subjects_flagged ON subjects (updated_at DESC, id DESC) WHERE flags <> '{}'",
    # The latest by id wins in its lane until it is released.
    """
    CREATE TABLE corrections (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        subject_id bigint NOT NULL,
        lane text NOT NULL,
        status text NOT NULL,
        reason text NOT NULL,
        actor text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        released_at timestamptz,
        released_by text
    )
    """,
    "CREATE INDEX corrections_subject ON corrections (subject_id)",
    # Events an operator took back.
    """
    CREATE TABLE rollbacks (
        event_id uuid PRIMARY KEY,
        subject_id bigint NOT NULL,
        reason text NOT NULL,
        actor text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # Why a version came without an event: a correction, a rollback, a link, a merge.
    "ALTER TABLE transitions ADD COLUMN cause text NOT NULL DEFAULT ''",
    """
    ALTER TABLE syncs ADD COLUMN priority smallint NOT NULL DEFAULT 5
        CHECK (priority IN (1, 5, 9))
    """,
    "DROP INDEX syncs_due",
    "CREATE INDEX syncs_due ON syncs (destination, priority, due_at) WHERE due_at IS NOT NULL",
    # What an event said, so that the same key with another meaning is noticed.
    "ALTER TABLE dedupe_keys ADD COLUMN digest bytea",
    """
    CREATE TABLE anomalies (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        kind text NOT NULL CHECK (kind IN ('key_conflict', 'alias_conflict', 'silence')),
        source text NOT NULL,
        event_id uuid,
        subject_id bigint,
        detail text NOT NULL,
        ended_at timestamptz
    )
    """,
    "CREATE INDEX anomalies_recent ON anomalies (kind, source, id DESC)",
    # A subject's history shows what people did to it.
    """
    CREATE INDEX operator_actions_target ON operator_actions (target, id DESC)
        WHERE starts_with(action, 'subject.')
    """,
    """
    ALTER TABLE jobs
        DROP CONSTRAINT jobs_kind_check,
        ADD CONSTRAINT jobs_kind_check
            CHECK (kind IN ('redrive', 'discard', 'replay', 'refold'))
    """,
    # The cause of a refusal was told from its sentence until now.
    "ALTER TABLE refusals ADD COLUMN cause text NOT NULL DEFAULT 'malformed'",
    """
    UPDATE refusals SET cause = CASE
        WHEN reason LIKE '%There is no source%' THEN 'unknown_source'
        WHEN reason LIKE '%is not in allow_from%' THEN 'wrong_address'
        WHEN reason LIKE '%The signature is right but was made%' THEN 'stale_clock'
        WHEN reason LIKE '%is missing%' OR reason LIKE '%carries no %'
            OR reason LIKE '%ends without its token%' THEN 'missing'
        WHEN reason LIKE '%only once is safe%' OR reason LIKE '%only one is safe%' THEN 'repeated'
        WHEN reason LIKE '% matches %' OR reason LIKE '%is none of the%' THEN 'wrong_secret'
        ELSE cause END
    """,
    # How often a source usually speaks.
    """
    CREATE TABLE rhythms (
        source text PRIMARY KEY,
        learned jsonb NOT NULL,
        heard_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
