"""What is kept how: data keys of sealed bodies, what purged events left behind, chained actions."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REFUSING = ("operator_actions", "audit_chain")

STATEMENTS = (
    # One key for the requests of a day, and one for what is kept beyond its day; wrapped by the
    # first of server.keys.
    """
    CREATE TABLE data_keys (
        name text PRIMARY KEY,
        wrapped bytea NOT NULL,
        generation integer NOT NULL DEFAULT 1,
        made_at timestamptz NOT NULL DEFAULT now(),
        wrapped_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # The data key that opens the body, in which path, query and headers are then, too.
    """
    ALTER TABLE requests
        ADD COLUMN sealed_with text,
        ADD COLUMN erased_at timestamptz
    """,
    "ALTER TABLE captures ADD COLUMN sealed_with text",
    # What the purged events of a subject folded to; the rest is folded on top of it.
    """
    CREATE TABLE bases (
        subject_id bigint PRIMARY KEY,
        state jsonb NOT NULL,
        untimed jsonb NOT NULL,
        claims jsonb NOT NULL,
        events bigint NOT NULL,
        purged_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 70)
    """,
    # What the ledger counted of rows that are gone.
    """
    CREATE TABLE ledger_totals (
        source text PRIMARY KEY,
        requests bigint NOT NULL DEFAULT 0,
        applied bigint NOT NULL DEFAULT 0,
        superseded bigint NOT NULL DEFAULT 0,
        revoked bigint NOT NULL DEFAULT 0,
        ignored bigint NOT NULL DEFAULT 0,
        discarded bigint NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)
    """,
    # Each link covers its action and the link before it.
    """
    CREATE TABLE audit_chain (
        number bigint PRIMARY KEY,
        action_id uuid NOT NULL UNIQUE,
        hash bytea NOT NULL
    )
    """,
    """
    CREATE FUNCTION audit_hash(before bytea, number bigint, action operator_actions)
    RETURNS bytea LANGUAGE sql STABLE AS $$
        SELECT sha256(before || convert_to(jsonb_build_array(
            number, action.id, (extract(epoch FROM action.at) * 1000000)::bigint,
            action.actor, action.action, action.target, action.detail)::text, 'UTF8'))
    $$
    """,
    # Runs as the transaction commits: the lock is the last one it takes, so nobody waits in a ring.
    """
    CREATE FUNCTION chain_action() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        latest audit_chain;
    BEGIN
        PERFORM pg_advisory_xact_lock(7301944029);
        SELECT * INTO latest FROM audit_chain ORDER BY number DESC LIMIT 1;
        INSERT INTO audit_chain (number, action_id, hash) VALUES (
            COALESCE(latest.number, 0) + 1, NEW.id,
            audit_hash(COALESCE(latest.hash, ''::bytea), COALESCE(latest.number, 0) + 1, NEW));
        RETURN NULL;
    END $$
    """,
    # What people did before there was a chain is its beginning.
    """
    DO $$
    DECLARE
        done operator_actions;
        latest bytea := ''::bytea;
        place bigint := 0;
    BEGIN
        FOR done IN SELECT * FROM operator_actions ORDER BY id LOOP
            place := place + 1;
            latest := audit_hash(latest, place, done);
            INSERT INTO audit_chain (number, action_id, hash) VALUES (place, done.id, latest);
        END LOOP;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER chained AFTER INSERT ON operator_actions
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chain_action()
    """,
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
    *(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in REFUSING
    ),
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
