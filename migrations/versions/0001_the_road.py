"""The road: requests, events, outbox, subjects, syncs and what explains them.

Tables that grow with traffic are cut by day through their time-ordered ids; a default partition
catches ids of a clock gone wrong. There are no foreign keys between tables that are dropped by
partition.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    # Uniqueness lives in a narrow table of its own: a partitioned table cannot enforce it.
    """
    CREATE TABLE dedupe_keys (
        source text NOT NULL,
        hash bytea NOT NULL,
        event_id uuid NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source, hash)
    ) PARTITION BY HASH (hash)
    """,
    *(
        f"CREATE TABLE dedupe_keys_{part} PARTITION OF dedupe_keys"
        f" FOR VALUES WITH (MODULUS 8, REMAINDER {part})"
        for part in range(8)
    ),
    """
    CREATE TABLE requests (
        id uuid PRIMARY KEY,
        source text NOT NULL,
        received_at timestamptz NOT NULL,
        peer text NOT NULL,
        method text NOT NULL,
        path text NOT NULL,
        query text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    """
    CREATE TABLE events (
        id uuid PRIMARY KEY,
        request_id uuid NOT NULL,
        source text NOT NULL,
        dedupe_key text NOT NULL,
        lifecycle text NOT NULL,
        scope text NOT NULL,
        ref text,
        lane text,
        status text,
        code text NOT NULL,
        occurred_at timestamptz,
        received_at timestamptz NOT NULL,
        attributes jsonb NOT NULL,
        fate text NOT NULL CHECK
            (fate IN ('fold', 'ignored', 'unreadable', 'unmapped', 'unresolved_subject')),
        note text NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    "CREATE INDEX events_subject ON events (lifecycle, scope, ref) WHERE ref IS NOT NULL",
    # What the fold decided; a refold may change it. Dead and pending events have no row here.
    """
    CREATE TABLE event_outcomes (
        event_id uuid PRIMARY KEY,
        outcome text NOT NULL CHECK (outcome IN
            ('applied', 'superseded', 'revoked', 'ignored', 'waiting', 'discarded')),
        reason text NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT now()
    ) PARTITION BY RANGE (event_id)
    """,
    # This event is owed to the fold. Claiming moves due_at forward; there is no lease column.
    """
    CREATE TABLE outbox (
        event_id uuid PRIMARY KEY,
        priority smallint NOT NULL DEFAULT 5 CHECK (priority IN (1, 5, 9)),
        due_at timestamptz NOT NULL,
        published_at timestamptz,
        crashes smallint NOT NULL DEFAULT 0,
        solo boolean NOT NULL DEFAULT false
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
            autovacuum_vacuum_cost_delay = 0)
    """,
    "CREATE INDEX outbox_due ON outbox (priority, due_at)",
    "CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL",
    # How far the consumers of a queue have come, as the publish time of what they take now.
    """
    CREATE TABLE progress (
        queue text PRIMARY KEY,
        taken_published_at timestamptz NOT NULL,
        reported_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE subjects (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        lifecycle text NOT NULL,
        scope text NOT NULL,
        ref text NOT NULL,
        status text NOT NULL DEFAULT '',
        version bigint NOT NULL DEFAULT 0,
        law smallint NOT NULL DEFAULT 0,
        state jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (lifecycle, scope, ref)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX subjects_recent ON subjects (updated_at DESC, id DESC)",
    """
    CREATE TABLE transitions (
        id uuid PRIMARY KEY,
        subject_id bigint NOT NULL,
        version bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        previous text NOT NULL,
        status text NOT NULL,
        lanes jsonb NOT NULL,
        occurred_at timestamptz,
        event_ids uuid[] NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    "CREATE INDEX transitions_subject ON transitions (subject_id, version)",
    # The difference between desired and synced is owed to the destination.
    """
    CREATE TABLE syncs (
        subject_id bigint NOT NULL,
        destination text NOT NULL,
        state text NOT NULL DEFAULT 'pending'
            CHECK (state IN ('pending', 'synced', 'no_record', 'held', 'dead')),
        desired_version bigint NOT NULL,
        synced_version bigint NOT NULL DEFAULT 0,
        synced_status text,
        due_at timestamptz,
        lease_owner uuid,
        fence bigint NOT NULL DEFAULT 0,
        attempts integer NOT NULL DEFAULT 0,
        failing_since timestamptz,
        intent_version bigint,
        intent_hash bytea,
        intent_key text,
        intent_at timestamptz,
        error text,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (subject_id, destination)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
            autovacuum_vacuum_cost_delay = 0)
    """,
    "CREATE INDEX syncs_due ON syncs (destination, due_at) WHERE due_at IS NOT NULL",
    """
    CREATE TABLE dead_letters (
        id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('event', 'sync')),
        event_id uuid,
        subject_id bigint,
        destination text,
        reason text NOT NULL,
        summary text NOT NULL,
        first_at timestamptz NOT NULL DEFAULT now(),
        last_at timestamptz NOT NULL DEFAULT now(),
        resolved_at timestamptz,
        resolution text
    )
    """,
    """
    CREATE UNIQUE INDEX dead_letters_event ON dead_letters (event_id)
        WHERE kind = 'event' AND resolved_at IS NULL
    """,
    """
    CREATE UNIQUE INDEX dead_letters_sync ON dead_letters (subject_id, destination)
        WHERE kind = 'sync' AND resolved_at IS NULL
    """,
    # Every exchange with an outside system; details are sentences, never bodies.
    """
    CREATE TABLE attempts (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        operation text NOT NULL,
        subject_id bigint NOT NULL,
        destination text NOT NULL,
        version bigint NOT NULL,
        class text NOT NULL,
        http_status smallint,
        ms integer NOT NULL,
        detail text NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    "CREATE INDEX attempts_subject ON attempts (subject_id, destination)",
    # Requests that left no row of their own, counted per process so that writers never meet.
    """
    CREATE TABLE request_tallies (
        source text NOT NULL,
        process uuid NOT NULL,
        day date NOT NULL,
        duplicates bigint NOT NULL DEFAULT 0,
        refused bigint NOT NULL DEFAULT 0,
        unavailable bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (source, process, day)
    ) WITH (fillfactor = 50)
    """,
    *(
        f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"
        for table in ("requests", "events", "event_outcomes", "transitions", "attempts")
    ),
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
